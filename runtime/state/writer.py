"""One thread that writes to SQLite and lets all that wait share one commit."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from runtime.observability.logs import get_logger
from runtime.observability.metrics import SHED
from runtime.serving.errors import Overloaded, Unavailable
from runtime.state.events import Appended, Forgotten
from runtime.state.schema import connect

logger = get_logger(__name__)

Row = tuple[Any, ...]
Done = TypeVar("Done")
Done_co = TypeVar("Done_co", covariant=True)

_INSERT = (
    "INSERT OR IGNORE INTO events (event_id, user_id, product_id, type, event_microseconds, event)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_MOST_CHANGES_A_COMMIT = 256


class Change(Protocol[Done_co]):
    """A change of the tables, made inside a transaction."""

    def make(self, connection: sqlite3.Connection) -> Done_co:
        """Change the tables and return what the caller is told."""
        ...


@dataclass(frozen=True)
class _Append:
    rows: Sequence[Row]

    def make(self, connection: sqlite3.Connection) -> Appended:
        recorded = connection.executemany(_INSERT, self.rows).rowcount
        return Appended(recorded, len(self.rows) - recorded)


@dataclass(frozen=True)
class _Forget:
    user_id: str

    def make(self, connection: sqlite3.Connection) -> Forgotten:
        deleted = [
            connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (self.user_id,)).rowcount
            for table in ("events", "history")
        ]
        return Forgotten(*deleted)


@dataclass(frozen=True)
class _Waiting(Generic[Done]):
    change: Change[Done]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Done]"

    def resolve(self, outcome: Done | Exception) -> None:
        self.loop.call_soon_threadsafe(self._set, outcome)

    def _set(self, outcome: Done | Exception) -> None:
        if self.done.done():
            return  # the caller's deadline passed
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class GroupCommitWriter:
    """Changes the tables; what arrives while one commit runs goes into the next one together, in order."""

    def __init__(self, path: Path, most_waiting: int) -> None:
        self._waiting: queue.Queue[_Waiting[Any] | None] = queue.Queue(most_waiting)
        self._connection = connect(path)
        self._closed = False
        self._thread = threading.Thread(target=self._write_until_closed, name="event-writer", daemon=True)
        self._thread.start()

    async def append(self, rows: Sequence[Row]) -> Appended:
        """Write rows and return once they are on disk; raises Overloaded or Unavailable."""
        return await self.make(_Append(rows))

    async def forget(self, user_id: str) -> Forgotten:
        """Delete all rows of a user and return once that is on disk; raises Overloaded or Unavailable."""
        return await self.make(_Forget(user_id))

    async def make(self, change: Change[Done]) -> Done:
        """Make a change and return once it is on disk; raises Overloaded or Unavailable."""
        if self._closed:
            raise Unavailable("the event store is closing")
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Done] = _Waiting(change, loop, loop.create_future())
        try:
            self._waiting.put_nowait(waiting)
        except queue.Full:
            SHED.labels("events").inc()
            raise Overloaded(f"{self._waiting.maxsize} writes of events are waiting; try again") from None
        return await waiting.done

    def close(self) -> None:
        """Write what waits and stop."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _write_until_closed(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, last = self._take_more(first)
            self._commit([each for each in group if not each.done.cancelled()])
            if last:
                return

    def _take_more(self, first: _Waiting[Any]) -> tuple[list[_Waiting[Any]], bool]:
        group = [first]
        while len(group) < _MOST_CHANGES_A_COMMIT:
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
            if waiting is None:
                return group, True
            group.append(waiting)
        return group, False

    def _commit(self, group: Sequence[_Waiting[Any]]) -> None:
        outcomes: list[Any]
        try:
            outcomes = self._change(group)
        except Exception as error:  # the thread must outlive any failure: every later write needs it
            logger.exception("events_not_written", changes=len(group))
            outcomes = [Unavailable(f"the events could not be written ({error})")] * len(group)
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.resolve(outcome)

    def _change(self, group: Sequence[_Waiting[Any]]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [each.change.make(self._connection) for each in group]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if any(isinstance(each.change, _Forget) for each in group):
            self._erase()
        return outcomes

    def _erase(self) -> None:
        """Leave nothing of deleted rows behind in the write-ahead log."""
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:  # a reader holds the log; SQLite empties it with a later checkpoint
            logger.info("forgotten_rows_left_in_log_for_now")
