"""Work on a thread always ends for who awaits it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from runtime.threads import Threads

_SECONDS = 10  # who waits longer was forgotten


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(1)
    yield pool
    pool.shutdown()


def _nothing_left() -> int:
    return next(iter(()))


async def _in_pool(pool: Threads, work: Callable[[], int]) -> int:
    return await asyncio.get_running_loop().run_in_executor(pool, work)


async def _to_thread(pool: Threads, work: Callable[[], int]) -> int:
    asyncio.get_running_loop().set_default_executor(pool)
    return await asyncio.to_thread(work)


@pytest.mark.parametrize("run", [_in_pool, _to_thread])
async def test_stop_iteration_reaches_who_waits(threads: Threads, run: Callable[..., object]) -> None:
    async with asyncio.timeout(_SECONDS):
        with pytest.raises(RuntimeError) as caught:
            await run(threads, _nothing_left)  # type: ignore[misc]
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_results_and_other_exceptions_are_passed_on(threads: Threads) -> None:
    def divided() -> int:
        return 1 // 0

    assert await _in_pool(threads, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await _in_pool(threads, divided)


def test_a_map_over_threads_ends_too(threads: Threads) -> None:
    def each(_: int) -> int:
        return _nothing_left()

    found: Iterator[int] = threads.map(each, [1, 2])
    with pytest.raises(RuntimeError):
        next(found)
