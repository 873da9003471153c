"""What a request must be before its numbers are used."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.reviews_pb2 import AspectColumns, ReviewColumns
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.ranking.v1.ranking_pb2 import RankRequest, RerankRequest, Surface
from runtime.serving.errors import Violations
from services.ranking.explanation.explaining import MOST_EXPLAINED
from services.ranking.explanation.words import LANGUAGES
from services.ranking.policy import SurfacePolicy, check_weights

MOST_CANDIDATES = 1000
MOST_HISTORY = 50
_MOST_QUERY = 512  # characters


def check(request: RankRequest, policy: SurfacePolicy) -> None:
    """Raise InvalidArgument naming every field of `request` that ranking cannot work with."""
    violations = Violations()
    n = len(request.candidates.products.ids)
    if not 1 <= n <= MOST_CANDIDATES:
        violations.add("candidates.products.ids", f"must hold 1 to {MOST_CANDIDATES} ids, got {n}")
    elif len(set(request.candidates.products.ids)) < n:
        violations.add("candidates.products.ids", "must hold each id once")
    _check_products(violations, "candidates.products", request.candidates.products)
    _check_scores(violations, request, n)
    _check_reviews(violations, request.reviews, n)
    if len(request.history.ids) > MOST_HISTORY:
        got = len(request.history.ids)
        violations.add("history.ids", f"must hold at most {MOST_HISTORY} ids, got {got}")
    _check_products(violations, "history", request.history)
    _check_understanding(violations, request.understanding)
    if request.surface not in Surface.values():
        violations.add("surface", f"must be one of {', '.join(Surface.keys())}, got {request.surface}")
    check_weights(violations, "weights", request.weights, policy)
    _check_explanation(violations, request)
    violations.raise_if_any()


def check_read(request: RerankRequest, most: int) -> None:
    """Raise InvalidArgument naming what of `request` a cross-encoder cannot read; `most` rows at once."""
    violations = Violations()
    n, rows = len(request.request.candidates.products.ids), list(request.rows)
    if not 1 <= len(rows) <= most:
        violations.add("rows", f"must hold 1 to {most} rows (--rerank), got {len(rows)}")
    elif len(set(rows)) < len(rows):
        violations.add("rows", "must hold each row once")
    elif min(rows) < 0 or max(rows) >= n:
        violations.add("rows", f"must be 0 to {n - 1}, got {min(rows)} to {max(rows)}")
    if len(request.passages) != len(rows):
        violations.add("passages", f"must have one per row, {len(rows)}, got {len(request.passages)}")
    for place, passage in enumerate(request.passages):
        if not passage.strip():
            violations.add(f"passages[{place}]", "must not be empty: leave out a product without a text")
    if not 1 <= len(request.query) <= _MOST_QUERY:
        violations.add("query", f"must hold 1 to {_MOST_QUERY} characters, got {len(request.query)}")
    violations.raise_if_any()


def _check_explanation(violations: Violations, request: RankRequest) -> None:
    if not 0 <= request.explain <= MOST_EXPLAINED:
        violations.add("explain", f"must be 0 to {MOST_EXPLAINED}, got {request.explain}")
    if request.language not in ("", *LANGUAGES):
        violations.add("language", f"must be {' or '.join(LANGUAGES)}, or empty, got {request.language!r}")


def _check_products(violations: Violations, path: str, products: ProductColumns) -> None:
    n = len(products.ids)
    numbers: dict[str, tuple[Sequence[Any], float]] = {
        "prices": (products.prices, math.inf),
        "ratings": (products.ratings, 5.0),
        "positive_review_shares": (products.positive_review_shares, 1.0),
    }
    for name, (column, most) in numbers.items():
        if _has_length(violations, f"{path}.{name}", column, n):
            _check_range(violations, f"{path}.{name}", column, most)
    for name in ("review_counts", "create_seconds", "available"):
        _has_length(violations, f"{path}.{name}", getattr(products, name), n)
    if len(products.review_counts) and min(products.review_counts) < 0:
        violations.add(f"{path}.review_counts", f"must not be negative, got {min(products.review_counts)}")
    words = {
        "brands": products.brands,
        "categories": products.categories,
        "currencies": products.currencies,
        "groups": products.groups,
    }
    words |= {f"attributes[{key!r}]": values for key, values in products.attributes.items()}
    for name, values in words.items():
        _check_words(violations, f"{path}.{name}", values, n)


def _check_scores(violations: Violations, request: RankRequest, n: int) -> None:
    candidates = request.candidates
    _check_finite(violations, "candidates.fused_scores", candidates.fused_scores, n)
    _check_finite(violations, "candidates.history_affinities", candidates.history_affinities, n)
    held = len(request.history.ids)
    if 0 < held <= MOST_HISTORY and len(candidates.history_cosines) not in (0, n * held):
        violations.add(
            "candidates.history_cosines",
            f"must have a byte per id and product of history, {n * held}, or none, "
            f"got {len(candidates.history_cosines)}",
        )
    for position, channel in enumerate(candidates.channels):
        path = f"candidates.channels[{position}]"
        _check_finite(violations, f"{path}.scores", channel.scores, n)
        if _has_length(violations, f"{path}.ranks", channel.ranks, n) and n and min(channel.ranks) < 0:
            violations.add(f"{path}.ranks", f"must be 0 or more, got {min(channel.ranks)}")


def _check_reviews(violations: Violations, reviews: ReviewColumns, n: int) -> None:
    if not reviews.ListFields():
        return  # nothing is known of any candidate
    named: dict[str, ReviewColumns | AspectColumns] = {"reviews": reviews}
    named |= {f"reviews.aspects[{aspect!r}]": column for aspect, column in reviews.aspects.items()}
    for path, columns in named.items():
        for name in ("positive", "neutral", "negative"):
            column = getattr(columns, name)
            if _has_length(violations, f"{path}.{name}", column, n) and n and min(column) < 0:
                violations.add(f"{path}.{name}", f"must not be negative, got {min(column)}")


def _check_understanding(violations: Violations, understanding: Understanding) -> None:
    for name in ("minimum", "maximum"):
        bound = getattr(understanding.price, name)
        if not (math.isfinite(bound) and bound >= 0):
            violations.add(f"understanding.price.{name}", f"must be finite and not negative, got {bound}")


def _has_length(violations: Violations, path: str, column: Sequence[Any], n: int) -> bool:
    if len(column) != n:
        violations.add(path, f"must have one value per id, {n}, got {len(column)}")
    return len(column) == n


def _check_finite(violations: Violations, path: str, column: Sequence[float], n: int) -> None:
    if not _has_length(violations, path, column, n):
        return
    wrong = np.flatnonzero(~np.isfinite(np.array(column)))
    if wrong.size:
        violations.add(path, f"must be finite, got {column[wrong[0]]} in row {wrong[0]}")


def _check_range(violations: Violations, path: str, column: Sequence[float], most: float) -> None:
    values = np.array(column)
    wrong = np.flatnonzero((values < 0) | (values > most) | np.isinf(values))
    if wrong.size:
        limit = "finite and not negative" if math.isinf(most) else f"0 to {most:g}"
        violations.add(
            path, f"must be {limit}, or NaN when unknown, got {column[wrong[0]]} in row {wrong[0]}"
        )


def _check_words(violations: Violations, path: str, column: DictionaryColumn, n: int) -> None:
    if not column.indices and not column.values:
        return  # the catalogue has nothing of the kind
    if not _has_length(violations, f"{path}.indices", column.indices, n) or not n:
        return
    indices = np.array(column.indices)
    if indices.min() < -1 or indices.max() >= len(column.values):
        most = len(column.values) - 1
        violations.add(f"{path}.indices", f"must be -1 to {most}, got {indices.min()} to {indices.max()}")
