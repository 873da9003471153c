"""Events and histories in one SQLite file: the embedded EventLog and ProfileStore."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from aisle.catalog.v1.user_pb2 import HistoryItem, UserEvent
from runtime.observability.metrics import FEEDBACK_LAG, SHED
from runtime.serving.errors import Overloaded, Unavailable
from runtime.state.events import MOST_HISTORY, Appended, Forgotten
from runtime.state.schema import connect, prepare
from runtime.state.writer import GroupCommitWriter, Row
from runtime.threads import Threads

# Served from the index alone, newest first.
_HISTORY = (
    "SELECT product_id, strongest, latest_microseconds FROM history"
    f" WHERE user_id = ? ORDER BY latest_microseconds DESC, strongest, product_id LIMIT {MOST_HISTORY}"
)
_READERS = 2


class SqliteState:
    """An EventLog and a ProfileStore over one file; processes on one machine may share it."""

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
        if self._reading >= self._most_waiting:
            SHED.labels("profiles").inc()
            raise Overloaded(f"{self._most_waiting} reads of profiles are waiting; try again")
        self._reading += 1
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read, user_id)
        # A read that nobody waits for any longer still holds its place until the thread is through with it.
        reading.add_done_callback(self._finish)
        try:
            rows = await asyncio.shield(reading)
        except sqlite3.Error as error:
            raise Unavailable(f"the profile could not be read ({error})") from error
        return [
            HistoryItem(product_id=product, type=strongest, event_seconds=microseconds // 1_000_000)
            for product, strongest, microseconds in rows
        ]

    def close(self) -> None:
        """Write what waits, then close the file."""
        self._writer.close()
        self._readers.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _finish(self, reading: "asyncio.Future[list[Row]]") -> None:
        self._reading -= 1
        if not reading.cancelled():
            reading.exception()  # seen by the caller, unless that has gone

    def _read(self, user_id: str) -> list[Row]:
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = connect(self._path)
            self._connections.append(connection)
        rows: list[Row] = connection.execute(_HISTORY, (user_id,)).fetchall()
        return rows


def _row(event: UserEvent) -> Row:
    return (
        event.event_id,
        event.user_id,
        event.product_id,
        event.type,
        event.event_time.ToMicroseconds(),
        event.SerializeToString(),
    )
