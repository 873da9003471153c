"""The explanations of an answer's first hits."""

from collections.abc import Mapping, Sequence

from aisle.catalog.v1.arrangement_pb2 import Contribution, HitExplanation, Move
from aisle.ranking.v1.ranking_pb2 import RankRequest
from services.ranking.columns import Products
from services.ranking.explanation.contributions import Part, Predict, Scored, contributions
from services.ranking.explanation.words import LANGUAGES, Facts, reasons
from services.ranking.review_features import read_reviews

MOST_EXPLAINED = 100


def explain(
    request: RankRequest,
    products: Products,
    scored: Scored,
    rows: Sequence[int],
    *,
    moves: Mapping[int, Sequence[Move]],
    predict: Predict,
    now_seconds: float,
) -> list[HitExplanation]:
    """Explain the hits at `rows` of the request's candidates."""
    language = chosen_language(request)
    told = read_reviews(request.reviews, len(products.ids))
    return [
        HitExplanation(
            contributions=_sorted(parts),
            reasons=reasons(
                parts,
                moves.get(row, ()),
                Facts.of(products, request.candidates.channels, told, row, now_seconds),
                language,
            ),
        )
        for row, parts in zip(rows, contributions(scored, rows, predict), strict=True)
    ]


def chosen_language(request: RankRequest) -> str:
    """Return the language asked for, or else the query's, or else English."""
    wanted = request.language or request.understanding.language
    return wanted if wanted in LANGUAGES else "en"


def _sorted(parts: Sequence[Part]) -> list[Contribution]:
    ordered = sorted(parts, key=lambda part: -abs(part.value))
    return [
        Contribution(objective=part.objective, feature_group=part.group, value=part.value) for part in ordered
    ]
