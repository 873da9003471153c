"""Dynamic batching: a batch is what waits when the model is free, never more waiting than that."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from runtime.observability import metrics
from runtime.serving import deadline
from runtime.serving.errors import DeadlineExceeded, Overloaded, Unavailable
from runtime.threads import Threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# Bulk work runs in small batches, so that a query never waits long behind one.
_BULK_BATCH = 2


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    future: "asyncio.Future[Result]"
    expires_at: float
    queued_at: float


class Batcher(Generic[Item, Result]):
    """Runs items through `run` in batches on a thread of its own.

    An idle batcher starts at once; a busy one collects what arrives. Cancelled and expired items are
    dropped before a batch is formed. Bulk items run only when no interactive one waits, and take no
    part in the interactive limit.
    """

    def __init__(
        self, name: str, run: Callable[[list[Item]], Sequence[Result]], *, max_batch: int, max_queue: int
    ) -> None:
        self._name = name
        self._batch_size = metrics.BATCH_SIZE.labels(name)
        self._queue_seconds = metrics.MODEL_SECONDS.labels(name, "queue")
        self._run = run
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._interactive: deque[_Waiting[Item, Result]] = deque()
        self._bulk: deque[_Waiting[Item, Result]] = deque()
        self._thread = Threads(1, thread_name_prefix=f"{name}-inference")
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._unanswered = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def submit(self, item: Item, *, bulk: bool = False) -> Result:
        """Return the result of one item.

        Raises Overloaded when the queue is full, DeadlineExceeded when the request's deadline passes
        before the item is run, Unavailable after `close`, and what `run` raises for its batch.
        """
        if self._closed:
            raise Unavailable(f"model {self._name!r} is shutting down")
        if not bulk and len(self._interactive) >= self._max_queue:
            metrics.SHED.labels("queue_full").inc()
            raise Overloaded(f"{self._max_queue} requests wait for model {self._name!r}; try again")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(item, future, deadline.expires_at(), time.monotonic())
        (self._bulk if bulk else self._interactive).append(waiting)
        self._wake()
        if bulk:
            return await future
        self._unanswered += 1
        self._quiet.clear()
        try:
            return await future
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._quiet.set()

    async def quiet(self, most_seconds: float) -> None:
        """Wait until no interactive item waits or runs, at most `most_seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_seconds):
                await self._quiet.wait()

    async def close(self) -> None:
        """Refuse new items, run those that wait, and end the thread."""
        self._closed = True
        if self._worker is not None:
            await self._worker
        self._thread.shutdown(wait=True)

    def _wake(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._form():
            self._batch_size.observe(len(batch))
            try:
                results = await loop.run_in_executor(
                    self._thread, self._run, [waiting.item for waiting in batch]
                )
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the batch
                _fail(batch, error)
            else:
                _deliver(batch, results)

    def _form(self) -> list[_Waiting[Item, Result]]:
        batch = self._take(self._interactive, self._max_batch)
        return batch or self._take(self._bulk, min(_BULK_BATCH, self._max_batch))

    def _take(self, queue: "deque[_Waiting[Item, Result]]", most: int) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        now = time.monotonic()
        while queue and len(batch) < most:
            waiting = queue.popleft()
            if waiting.future.done():
                metrics.SHED.labels("cancelled").inc()
            elif waiting.expires_at <= now:
                metrics.SHED.labels("expired").inc()
                waiting.future.set_exception(
                    DeadlineExceeded("the deadline passed while waiting for the model")
                )
            else:
                self._queue_seconds.observe(now - waiting.queued_at)
                batch.append(waiting)
        return batch


def _deliver(batch: "list[_Waiting[Item, Result]]", results: Sequence[Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if not waiting.future.done():
            waiting.future.set_result(result)


def _fail(batch: "list[_Waiting[Item, Result]]", error: Exception) -> None:
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(error)
