"""What users did: a log that never forgets an acknowledged event, and the histories read from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aisle.catalog.v1.user_pb2 import HistoryItem, UserEvent

MOST_HISTORY = 50


@dataclass(frozen=True)
class Appended:
    """How many events were recorded now, and how many had been recorded before."""

    recorded: int
    duplicates: int


@dataclass(frozen=True)
class Forgotten:
    """How many events and how many products of the history there were of a user."""

    events: int
    products: int


class EventLog(Protocol):
    """A durable log of events."""

    async def append(self, events: Sequence[UserEvent]) -> Appended:
        """Record events, each with an id and a time, and return once they are durable.

        An event whose id is known counts as a duplicate and changes nothing. The events are part of the
        user's history when this returns. Raises Overloaded when too much is waiting to be written, and
        Unavailable when the store cannot be written; then none of them is acknowledged, and appending
        them again is safe.
        """
        ...

    async def forget(self, user_id: str) -> Forgotten:
        """Delete all events of a user and what was read from them, and return once that is durable.

        Events appended before are deleted, later ones begin a new history; ids of deleted events are new
        again. The deleted bytes are overwritten in the store. Raises as `append` does, and forgetting again
        is safe.
        """
        ...


class ProfileStore(Protocol):
    """What is known of each user."""

    async def history(self, user_id: str) -> list[HistoryItem]:
        """Return the user's latest products, newest first, at most 50; none for an unknown user.

        Each product comes once, with the time of the latest and the type of the strongest action on it.
        Impressions do not count. Raises Overloaded or Unavailable.
        """
        ...
