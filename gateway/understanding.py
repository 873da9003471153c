"""What the query means, as the intent service reads it; without it the query is taken as plain words."""

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import Understanding, UnderstandRequest
from aisle.retrieval.v1.retrieval_pb2 import RetrieveResponse
from gateway.backends import Backends
from gateway.degradation import StageFailure, raise_callers_fault
from gateway.notes import Notes
from gateway.validation import MOST_QUERY_CHARACTERS


async def understand(
    backends: Backends, query: str, user: UserContext, seconds: float, notes: Notes
) -> Understanding | None:
    """Return the reading of the query, or None when the service is late or gone.

    Raises InvalidArgument when the service refuses the query itself.
    """
    try:
        with notes.clock.stage("intent"):
            answer = await backends.understand(UnderstandRequest(query=query, user=user), seconds)
    except StageFailure as error:
        raise_callers_fault(error, "intent")
        notes.missing(Stage.STAGE_INTENT, error)
        return None
    notes.took_part(answer.models, answer.stages)
    return answer.understanding


def searched_instead(retrieved: RetrieveResponse | None) -> str:
    """Return the query that retrieval searched for instead of a misspelt one, "" where it did not; and where
    it is longer than a query may be: words that were written as one are two now."""
    if retrieved is None or not retrieved.did_you_mean.applied:
        return ""
    meant = retrieved.did_you_mean.query
    return meant if len(meant) <= MOST_QUERY_CHARACTERS else ""


def neutral() -> Understanding:
    """Return the reading of a query of which nothing is known."""
    return Understanding(language="und")
