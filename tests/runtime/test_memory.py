"""What is read once is remembered, and made once however many wait for it."""

import asyncio

import pytest

from runtime.memory import Memory


class Maker:
    """Makes the same value each time it may, and counts."""

    def __init__(self) -> None:
        self.made = 0
        self.may = asyncio.Event()
        self.failures: list[Exception] = []

    async def make(self) -> str:
        self.made += 1
        await self.may.wait()
        if self.failures:
            raise self.failures.pop()
        return "value"


async def test_many_who_ask_at_once_share_one_making() -> None:
    memory, maker = Memory[str](2), Maker()
    asking = [asyncio.create_task(memory.get("key", maker.make)) for _ in range(5)]
    await asyncio.sleep(0)
    maker.may.set()
    assert sorted(await asyncio.gather(*asking)) == [("value", False), *[("value", True)] * 4]
    assert maker.made == 1
    assert await memory.get("key", maker.make) == ("value", True)


async def test_who_waits_for_an_attempt_that_fails_or_is_cancelled_makes_its_own() -> None:
    memory, maker = Memory[str](2), Maker()
    maker.failures = [TimeoutError()]
    first, second, third = (asyncio.create_task(memory.get("key", maker.make)) for _ in range(3))
    await asyncio.sleep(0)
    maker.may.set()
    with pytest.raises(TimeoutError):
        await first
    assert {await second, await third} == {("value", False), ("value", True)}
    assert maker.made == 2
    leaving = asyncio.create_task(memory.get("other", maker.make))
    leaving.cancel()
    await asyncio.wait([leaving])
    assert await memory.get("other", maker.make) == ("value", False)


async def test_the_one_asked_for_longest_ago_is_forgotten_first() -> None:
    memory, maker = Memory[str](2), Maker()
    maker.may.set()
    for key in ("a", "b", "a", "c"):
        await memory.get(key, maker.make)
    assert maker.made == 3
    assert await memory.get("a", maker.make) == ("value", True)
    assert await memory.get("b", maker.make) == ("value", False)


async def test_with_0_nothing_is_kept() -> None:
    memory, maker = Memory[str](0), Maker()
    maker.may.set()
    assert [await memory.get("key", maker.make) for _ in range(2)] == [("value", False)] * 2


async def test_what_is_too_old_is_made_anew() -> None:
    now = 0.0
    memory, maker = Memory[str](2, seconds=10, clock=lambda: now), Maker()
    maker.may.set()
    await memory.get("key", maker.make)
    now = 9.0
    assert memory.known("key") == "value"
    assert await memory.get("key", maker.make) == ("value", True)
    now = 10.0
    assert memory.known("key") is None
    assert await memory.get("key", maker.make) == ("value", False)
    assert maker.made == 2
