"""The order of the candidates: the ranking service's, or without it the fused retrieval order."""

from collections.abc import Sequence
from dataclasses import dataclass

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from gateway.backends import Backends
from gateway.degradation import StageFailure
from gateway.notes import Notes
from runtime.serving.errors import AisleError


@dataclass(frozen=True)
class Order:
    """Candidates, best first: `rows[i]` is the row of the i-th, `scores[i]` its score.

    `predictions` holds what the model said of each, in this order; None when no model took part.
    """

    rows: Sequence[int]
    scores: Sequence[float]
    predictions: RankResponse | None = None


async def order_candidates(backends: Backends, request: RankRequest, seconds: float, notes: Notes) -> Order:
    """Return the learned order of the request's candidates, or the fused one when ranking is late or gone."""
    candidates = request.candidates
    if not candidates.products.ids:
        return fused_order(candidates)
    try:
        with notes.clock.stage("ranking"):
            answer = await backends.rank(request, seconds)
        _require_whole(answer, len(candidates.products.ids))
    except StageFailure as error:
        # Whatever ranking refuses came from the services, not from the caller: there is no one to tell.
        notes.missing(Stage.STAGE_RANKING, error)
        return fused_order(candidates)
    notes.took_part(answer.models, answer.stages)
    return Order(answer.order, answer.scores, answer)


def fused_order(candidates: Candidates) -> Order:
    """Return the order in which retrieval sent the candidates."""
    return Order(range(len(candidates.products.ids)), candidates.fused_scores)


def _require_whole(answer: RankResponse, n: int) -> None:
    columns = (
        answer.scores,
        answer.click_probabilities,
        answer.conversion_probabilities,
        answer.relevances,
    )
    if sorted(answer.order) != list(range(n)) or any(len(column) != n for column in columns):
        raise AisleError(f"ranking ordered {n} candidates with {len(answer.order)} rows that don't fit them")
