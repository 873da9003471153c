"""What the query means, as the intent service reads it; without it the query is taken as plain words."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.serving_pb2 import Stage
from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import Understanding, UnderstandRequest
from aisle.retrieval.v1.retrieval_pb2 import RetrieveResponse
from gateway.backends import Backends
from gateway.degradation import StageFailure, raise_callers_fault
from gateway.notes import Notes
from gateway.validation import MOST_QUERY_CHARACTERS

Found = TypeVar("Found")


@dataclass(frozen=True)
class Reading:
    """What a query means, and the embedding that the same pass made, where it was asked for and made one."""

    understanding: Understanding
    embedding: QueryEmbedding | None = None


async def understand(
    backends: Backends,
    query: str,
    user: UserContext,
    seconds: float,
    notes: Notes,
    *,
    embed: bool = False,
) -> Reading | None:
    """Return the reading of the query, or None when the service is late or gone.

    Raises InvalidArgument when the service refuses the query itself.
    """
    request = UnderstandRequest(query=query, user=user, embed=embed)
    try:
        with notes.clock.stage("intent"):
            answer = await backends.understand(request, seconds)
    except StageFailure as error:
        raise_callers_fault(error, "intent")
        notes.missing(Stage.STAGE_INTENT, error)
        return None
    notes.took_part(answer.models, answer.stages)
    return Reading(answer.understanding, answer.embedding if answer.HasField("embedding") else None)


async def read_first(
    reading: Awaitable[Reading | None],
    find: Callable[[QueryEmbedding | None], Awaitable[Found]],
    seconds: float,
) -> tuple[Reading | None, Found]:
    """Return the reading and what is found with its embedding.

    After `seconds` without a reading both go on beside each other, and the search does without. Raises what
    either raises.
    """
    read = asyncio.ensure_future(reading)
    try:
        await asyncio.wait([read], timeout=seconds)
        if not read.done():
            return await asyncio.gather(read, find(None))
        early = read.result()
        return early, await find(early.embedding if early else None)
    finally:
        read.cancel()


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
