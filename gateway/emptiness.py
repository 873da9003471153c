"""Why a page has no hits."""

from aisle.catalog.v1.matches_pb2 import Emptiness, EmptyReason
from aisle.retrieval.v1.retrieval_pb2 import RetrieveResponse


def why_empty(retrieved: RetrieveResponse | None) -> Emptiness:
    """Return retrieval's reason, or that the page lies behind the last hit when there were candidates."""
    if retrieved is not None and retrieved.HasField("emptiness"):
        return retrieved.emptiness
    return Emptiness(reason=EmptyReason.EMPTY_REASON_PAST_THE_END)
