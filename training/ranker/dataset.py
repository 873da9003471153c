"""Training rows with the features serving would have computed: same index, same model outputs, same code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.user_pb2 import UserContext
from aisle.ranking.v1.ranking_pb2 import Surface
from services.ranking.features import FEATURES, compute
from services.retrieval.index import Retrieved
from training.demo_shop import DemoShop, Query, Request
from training.demo_shop.truth import RATES
from training.ranker.histories import MOST_ITEMS
from training.ranker.upstream import Upstream

CANDIDATES = 200
# Of the candidates that were judged but not shown, so many are kept to learn relevance: the best, and any.
_BEST_KEPT, _RANDOM_KEPT = 10, 8

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """n candidates of many requests; rows of one request lie together.

    `features`: float32 [n, F]; `pairs`: uint8 [n, P, MOST_ITEMS], absent products last; `requests`: int64
    [n], number of the request; `positions`: int64 [n], from 1, 0 when not shown; the others are float32 [n].
    `clicks` and `purchases` are 0 where not shown; `grades` is the judged relevance, NaN where there is none.
    The truth about what was shown, for evaluation only, is NaN elsewhere: `attractiveness` (P(click | seen)),
    `examination` (P(seen)) and `conversions` (P(purchase | click)).
    """

    features: Floats
    pairs: NDArray[np.uint8]
    requests: NDArray[np.int64]
    positions: NDArray[np.int64]
    clicks: Floats
    purchases: Floats
    grades: Floats
    attractiveness: Floats
    examination: Floats
    conversions: Floats

    def __len__(self) -> int:
        return len(self.features)

    def chosen(self, rows: NDArray[Any]) -> "Rows":
        """Return some rows, by numbers or mask."""
        return Rows(**{name: values[rows] for name, values in vars(self).items()})

    def starts(self) -> NDArray[np.int64]:
        """Return the first row of each request, and the number of rows at the end: int64 [requests + 1]."""
        edges = np.flatnonzero(np.diff(self.requests)) + 1
        return np.concatenate([[0], edges, [len(self)]]).astype(np.int64)

    def fused(self) -> Floats:
        """Return the standardised fused score of each row, float32 [n]: the order to beat."""
        return self.features[:, FEATURES.index("fused_z")]


Grade = Callable[[Query], Floats]  # the relevance of every product of the shop, float32 [products]


def build(
    shop: DemoShop,
    requests: Sequence[Request],
    upstream: Upstream,
    contexts: Mapping[str, UserContext],
    grade: Grade,
    *,
    thin: bool,
    seed: int,
) -> Rows:
    """Return the rows of `requests`: what was shown or judged; `thin` keeps a sample of what was only judged.

    Candidates are the 200 that retrieval finds, as in serving, and what was shown besides. Judged are those
    200, for queries of the request's own split: a held-out user may ask a query known from training.
    """
    rng = np.random.default_rng(seed)
    row_of = {product.id: row for row, product in enumerate(shop.products)}
    parts = []
    for number, request in enumerate(requests):
        query = shop.query[request.query_id]
        found = _retrieve(query, request, upstream, contexts[request.id])
        rows = _rows(number, request, found, upstream, contexts[request.id])
        if query.split == request.split:
            best = [row_of[product] for product in found.candidates.products.ids[:CANDIDATES]]
            rows.grades[: len(best)] = grade(query)[best]
        judged_too = _sample(rows, rng) if thin else ~np.isnan(rows.grades)
        parts.append(rows.chosen((rows.positions > 0) | judged_too))
    return _concatenate(parts)


def _retrieve(query: Query, request: Request, upstream: Upstream, context: UserContext) -> Retrieved:
    return upstream.index.search(
        query.text,
        upstream.embeddings[query.id],
        CANDIDATES,
        [item.product_id for item in context.history],
        also=request.product_ids,
    )


def _rows(number: int, request: Request, found: Retrieved, upstream: Upstream, context: UserContext) -> Rows:
    inputs = compute(
        found.candidates,
        upstream.understandings[request.query_id],
        context,
        found.history,
        surface=Surface.SURFACE_SEARCH,
        now_seconds=request.event_seconds,
        rates=RATES,
        reviews=upstream.reviews.at(request.event_seconds).columns(found.candidates.products.ids),
    )
    ids = list(found.candidates.products.ids)
    place = {product: position for position, product in enumerate(request.product_ids)}
    shown = np.array([place.get(product, -1) for product in ids])

    def spread(values: NDArray[Any], otherwise: float) -> Floats:
        return np.where(shown >= 0, values[shown], otherwise).astype(np.float32)

    return Rows(
        features=inputs.features,
        pairs=inputs.pairs,
        requests=np.full(len(ids), number),
        positions=shown + 1,
        clicks=spread(request.clicked, 0.0),
        purchases=spread(request.purchased, 0.0),
        grades=np.full(len(ids), np.nan, dtype=np.float32),
        attractiveness=spread(request.attractiveness, np.nan),
        examination=spread(request.examination, np.nan),
        conversions=spread(request.conversion_probability, np.nan),
    )


def _padded(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    padded = np.zeros((*pairs.shape[:2], MOST_ITEMS), dtype=np.uint8)
    padded[:, :, : pairs.shape[2]] = pairs
    return padded


def _sample(rows: Rows, rng: np.random.Generator) -> NDArray[np.bool_]:
    kept = np.zeros(len(rows), dtype=np.bool_)
    kept[:_BEST_KEPT] = True  # candidates come best first
    kept[rng.integers(0, len(kept), _RANDOM_KEPT)] = True
    return kept & ~np.isnan(rows.grades)


def _concatenate(parts: Sequence[Rows]) -> Rows:
    columns = {name: [vars(part)[name] for part in parts] for name in vars(parts[0])}
    columns["pairs"] = [_padded(pairs) for pairs in columns["pairs"]]
    return Rows(**{name: np.concatenate(values) for name, values in columns.items()})
