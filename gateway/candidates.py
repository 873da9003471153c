"""The candidates that retrieval finds; there is no answer of one's own without them."""

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest, RetrieveResponse
from gateway.backends import Backends
from gateway.degradation import StageFailure, raise_callers_fault
from gateway.notes import Notes


async def find_candidates(
    backends: Backends, request: RetrieveRequest, seconds: float, notes: Notes
) -> RetrieveResponse | None:
    """Return the candidates, or None when retrieval is late or gone.

    Raises InvalidArgument or NotFound when retrieval refuses what the caller asked for.
    """
    try:
        with notes.clock.stage("retrieval"):
            answer = await backends.retrieve(request, seconds)
    except StageFailure as error:
        raise_callers_fault(error, "retrieval")
        notes.missing(Stage.STAGE_RETRIEVAL, error)
        return None
    notes.took_part(answer.models, answer.stages)
    notes.passed_on(answer.degraded)
    return answer
