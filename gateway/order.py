"""The order of the candidates: the ranking service's, or without it the fused retrieval order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from gateway.backends import Backends
from gateway.degradation import StageFailure, raise_callers_fault
from gateway.notes import Notes
from runtime.serving.errors import AisleError


@dataclass(frozen=True)
class Order:
    """Candidates, best first: `rows[i]` is the row of the i-th, `scores[i]` its score.

    `predictions` holds what the model said of each, in this order, and what moved it; None when no model took
    part. `read`: what a cross-encoder said of the candidates that it read, P(relevant) by row.
    """

    rows: Sequence[int]
    scores: Sequence[float]
    predictions: RankResponse | None = None
    read: Mapping[int, float] = field(default_factory=dict)


async def order_candidates(backends: Backends, request: RankRequest, seconds: float, notes: Notes) -> Order:
    """Return the learned order of the request's candidates, or the fused one when ranking is late or gone.

    Raises InvalidArgument when ranking refuses the weights that the caller asked for.
    """
    candidates = request.candidates
    if not candidates.products.ids:
        return fused_order(candidates)
    try:
        with notes.clock.stage("ranking"):
            answer = await backends.rank(request, seconds)
        require_whole(answer, len(candidates.products.ids))
    except StageFailure as error:
        # Whatever else ranking refuses came from the services, not from the caller: there is no one to tell.
        if request.weights.ListFields():
            raise_callers_fault(error, "ranking")
        notes.missing(Stage.STAGE_RANKING, error)
        return fused_order(candidates)
    notes.took_part(answer.models, answer.stages)
    notes.rules(answer.rules)
    return Order(answer.order, answer.scores, answer)


def fused_order(candidates: Candidates) -> Order:
    """Return the order in which retrieval sent the candidates."""
    return Order(range(len(candidates.products.ids)), candidates.fused_scores)


def require_whole(answer: RankResponse, n: int) -> None:
    """Raise AisleError unless `answer` orders each of `n` candidates once, but for hidden ones."""
    columns = (
        answer.scores,
        answer.click_probabilities,
        answer.conversion_probabilities,
        answer.relevances,
    )
    rows = set(answer.order)
    fits = len(rows) == len(answer.order) == n - answer.hidden and rows <= set(range(n))
    if not fits or any(len(column) != len(answer.order) for column in columns):
        raise AisleError(f"ranking ordered {n} candidates with {len(answer.order)} rows that don't fit them")
