"""One thread that writes to SQLite and lets all that wait share one commit."""

import asyncio
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.observability.logs import get_logger
from runtime.observability.metrics import SHED
from runtime.serving.errors import Overloaded, Unavailable
from runtime.state.events import Appended
from runtime.state.schema import connect

logger = get_logger(__name__)

Row = tuple[Any, ...]

_INSERT = (
    "INSERT OR IGNORE INTO events (event_id, user_id, product_id, type, event_microseconds, event)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_MOST_APPENDS_A_COMMIT = 256


@dataclass(frozen=True)
class _Append:
    rows: Sequence[Row]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Appended]"

    def resolve(self, outcome: Appended | Exception) -> None:
        self.loop.call_soon_threadsafe(self._set, outcome)

    def _set(self, outcome: Appended | Exception) -> None:
        if self.done.done():
            return  # the caller's deadline passed
        if isinstance(outcome, Appended):
            self.done.set_result(outcome)
        else:
            self.done.set_exception(outcome)


class GroupCommitWriter:
    """Writes rows of `events`; what arrives while one commit runs goes into the next one together."""

    def __init__(self, path: Path, most_waiting: int) -> None:
        self._waiting: queue.Queue[_Append | None] = queue.Queue(most_waiting)
        self._connection = connect(path)
        self._closed = False
        self._thread = threading.Thread(target=self._write_until_closed, name="event-writer", daemon=True)
        self._thread.start()

    async def append(self, rows: Sequence[Row]) -> Appended:
        """Write rows and return once they are on disk; raises Overloaded or Unavailable."""
        if self._closed:
            raise Unavailable("the event store is closing")
        loop = asyncio.get_running_loop()
        append = _Append(rows, loop, loop.create_future())
        try:
            self._waiting.put_nowait(append)
        except queue.Full:
            SHED.labels("events").inc()
            raise Overloaded(f"{self._waiting.maxsize} writes of events are waiting; try again") from None
        return await append.done

    def close(self) -> None:
        """Write what waits and stop."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _write_until_closed(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, last = self._take_more(first)
            self._commit([append for append in group if not append.done.cancelled()])
            if last:
                return

    def _take_more(self, first: _Append) -> tuple[list[_Append], bool]:
        group = [first]
        while len(group) < _MOST_APPENDS_A_COMMIT:
            try:
                append = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
            if append is None:
                return group, True
            group.append(append)
        return group, False

    def _commit(self, group: Sequence[_Append]) -> None:
        outcomes: list[Appended | Exception]
        try:
            outcomes = [*self._insert(group)]
        except Exception as error:  # the thread must outlive any failure: every later write needs it
            logger.exception("events_not_written", appends=len(group))
            outcomes = [Unavailable(f"the events could not be written ({error})")] * len(group)
        for append, outcome in zip(group, outcomes, strict=True):
            append.resolve(outcome)

    def _insert(self, group: Sequence[_Append]) -> list[Appended]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            counts = [self._connection.executemany(_INSERT, append.rows).rowcount for append in group]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return [
            Appended(count, len(append.rows) - count) for count, append in zip(counts, group, strict=True)
        ]
