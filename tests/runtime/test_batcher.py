"""The batcher: what it batches, what it drops, and what it never does."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from runtime.inference.batcher import Batcher
from runtime.serving import deadline
from runtime.serving.errors import DeadlineExceeded, Overloaded, Unavailable


class Model:
    """Doubles numbers in batches it remembers; a closed gate keeps it busy."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = threading.Event()
        self._gate = threading.Event()
        self._gate.set()

    def run(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.started.set()
        self._gate.wait(10)
        if -1 in items:
            raise ValueError("no minus one")
        return [2 * item for item in items]

    @contextmanager
    def busy(self) -> Iterator[None]:
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()


@pytest.fixture
def model() -> Model:
    return Model()


def _batcher(run: Callable[[list[int]], list[int]], most: int = 4, queue: int = 8) -> Batcher[int, int]:
    return Batcher("doubler", run, max_batch=most, max_queue=queue)


async def _occupied(batcher: Batcher[int, int], model: Model) -> "asyncio.Task[int]":
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.to_thread(model.started.wait, 5)
    return first


async def test_idle_batcher_runs_an_item_alone_at_once(model: Model) -> None:
    batcher = _batcher(model.run)
    assert await batcher.submit(21) == 42
    assert model.batches == [[21]]
    await batcher.close()


async def test_items_that_wait_for_a_busy_model_share_batches_in_order(model: Model) -> None:
    batcher = _batcher(model.run)
    with model.busy():
        first = await _occupied(batcher, model)
        waiting = [asyncio.create_task(batcher.submit(item)) for item in range(1, 7)]
        await asyncio.sleep(0)
    assert await asyncio.gather(first, *waiting) == [0, 2, 4, 6, 8, 10, 12]
    assert model.batches == [[0], [1, 2, 3, 4], [5, 6]]
    await batcher.close()


async def test_cancelled_and_expired_items_never_reach_the_model(model: Model) -> None:
    batcher = _batcher(model.run)
    with model.busy():
        first = await _occupied(batcher, model)
        cancelled = asyncio.create_task(batcher.submit(1))
        deadline.begin(0)
        expired = asyncio.create_task(batcher.submit(2))
        deadline.begin(60)
        kept = asyncio.create_task(batcher.submit(3))
        await asyncio.sleep(0)
        cancelled.cancel()
    assert list(await asyncio.gather(first, kept)) == [0, 6]
    with pytest.raises(DeadlineExceeded):
        await expired
    assert model.batches == [[0], [3]]
    await batcher.close()


async def test_full_queue_is_refused_and_bulk_work_does_not_fill_it(model: Model) -> None:
    batcher = _batcher(model.run, queue=2)
    with model.busy():
        first = await _occupied(batcher, model)
        bulk = [asyncio.create_task(batcher.submit(item, bulk=True)) for item in range(5)]
        waiting = [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit(3)
    await asyncio.gather(first, *waiting, *bulk)
    await batcher.close()


async def test_interactive_items_overtake_bulk_ones(model: Model) -> None:
    batcher = _batcher(model.run)
    with model.busy():
        first = await _occupied(batcher, model)
        bulk = [asyncio.create_task(batcher.submit(item, bulk=True)) for item in (10, 11)]
        await asyncio.sleep(0)
        quick = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0)
    await asyncio.gather(first, quick, *bulk)
    assert model.batches == [[0], [1], [10, 11]]
    await batcher.close()


async def test_failing_batch_fails_its_own_items_only(model: Model) -> None:
    batcher = _batcher(model.run)
    with pytest.raises(ValueError, match="minus one"):
        await batcher.submit(-1)
    assert await batcher.submit(1) == 2
    await batcher.close()


async def test_closing_runs_what_waits_and_refuses_more(model: Model) -> None:
    batcher = _batcher(model.run)
    with model.busy():
        first = await _occupied(batcher, model)
        waiting = asyncio.create_task(batcher.submit(5))
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await batcher.submit(6)
    await closing
    assert (await first, await waiting) == (0, 10)
