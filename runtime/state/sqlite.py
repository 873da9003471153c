"""Events, histories and reviews in one SQLite file: the embedded EventLog, ProfileStore and ReviewStore."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aisle.catalog.v1.user_pb2 import HistoryItem, UserEvent
from runtime.observability.metrics import FEEDBACK_LAG, SHED
from runtime.serving.errors import Overloaded, Unavailable
from runtime.state import review_tables
from runtime.state.events import MOST_HISTORY, Appended, Forgotten
from runtime.state.reviews import Backlog, JudgedReview, Tallies, WaitingReview
from runtime.state.schema import connect, prepare
from runtime.state.writer import GroupCommitWriter, Row
from runtime.threads import Threads

# Served from the index alone, newest first.
_HISTORY = (
    "SELECT product_id, strongest, latest_microseconds FROM history"
    f" WHERE user_id = ? ORDER BY latest_microseconds DESC, strongest, product_id LIMIT {MOST_HISTORY}"
)
_READERS = 2

Found = TypeVar("Found")


class SqliteState:
    """An EventLog, ProfileStore and ReviewStore over one file; processes on one machine may share it."""

    def __init__(self, path: Path, *, most_waiting: int = 1024) -> None:
        """Open or create `path`; at most `most_waiting` appends, and as many reads, wait at once.

        Raises StartupError when the file is damaged, locked or cannot be used.
        """
        prepare(path)
        self._path = path
        self._most_waiting = most_waiting
        self._writer = GroupCommitWriter(path, most_waiting)
        self._readers = Threads(_READERS, thread_name_prefix="profile-reader")
        self._reading = 0
        self._thread = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def append(self, events: Sequence[UserEvent]) -> Appended:
        """Record events durably; see EventLog.append."""
        start = time.perf_counter()
        appended = await self._writer.append([_row(event) for event in events])
        FEEDBACK_LAG.observe(time.perf_counter() - start)
        return appended

    async def forget(self, user_id: str) -> Forgotten:
        """Delete all of a user durably; see EventLog.forget."""
        return await self._writer.forget(user_id)

    async def history(self, user_id: str) -> list[HistoryItem]:
        """Return the user's latest products; see ProfileStore.history."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            return connection.execute(_HISTORY, (user_id,)).fetchall()

        return [
            HistoryItem(product_id=product, type=strongest, event_seconds=microseconds // 1_000_000)
            for product, strongest, microseconds in await self._read("the profile", read)
        ]

    async def waiting_reviews(self, most: int) -> list[WaitingReview]:
        """Return reviews that wait to be judged; see ReviewStore.waiting_reviews."""
        return await self._read("reviews", lambda connection: review_tables.waiting(connection, most))

    async def settle_reviews(self, judged: Sequence[JudgedReview]) -> list[float]:
        """Count reviews durably; see ReviewStore.settle_reviews."""
        return await self._writer.make(review_tables.Settle(judged))

    async def review_backlog(self) -> Backlog:
        """Return how much waits; see ReviewStore.review_backlog."""
        return await self._read("reviews", review_tables.backlog)

    async def review_tallies(self, after: int) -> Tallies:
        """Return what changed; see ReviewStore.review_tallies."""
        return await self._read("reviews", lambda connection: review_tables.tallies(connection, after))

    def close(self) -> None:
        """Write what waits, then close the file."""
        self._writer.close()
        self._readers.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    async def _read(self, what: str, read: Callable[[sqlite3.Connection], Found]) -> Found:
        """Read beside the event loop; raises Overloaded or Unavailable."""
        if self._reading >= self._most_waiting:
            SHED.labels("profiles").inc()
            raise Overloaded(f"{self._most_waiting} reads of the event store are waiting; try again")
        self._reading += 1
        reading = asyncio.get_running_loop().run_in_executor(self._readers, lambda: read(self._connection()))
        # A read that nobody waits for any longer still holds its place until the thread is through with it.
        reading.add_done_callback(self._finish)
        try:
            return await asyncio.shield(reading)
        except sqlite3.Error as error:
            raise Unavailable(f"{what} could not be read ({error})") from error

    def _finish(self, reading: "asyncio.Future[Any]") -> None:
        self._reading -= 1
        if not reading.cancelled():
            reading.exception()  # seen by the caller, unless that has gone

    def _connection(self) -> sqlite3.Connection:
        """Return the calling thread's own connection."""
        held: sqlite3.Connection | None = getattr(self._thread, "connection", None)
        if held is None:
            held = self._thread.connection = connect(self._path)
            self._connections.append(held)
        return held


def _row(event: UserEvent) -> Row:
    return (
        event.event_id,
        event.user_id,
        event.product_id,
        event.type,
        event.event_time.ToMicroseconds(),
        event.SerializeToString(),
    )
