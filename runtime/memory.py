"""The latest results by key, each made once however many ask for it at the same time."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

# What is made of people's queries is kept no longer than it may be of use.
OF_QUERIES_SECONDS = 3600.0


@dataclass(frozen=True)
class _Held(Generic[Value]):
    future: "asyncio.Future[Value | None]"
    until: float


class Memory(Generic[Value]):
    """Keeps the `most` results asked for last, each for at most `seconds` of `clock` from when it was begun.

    With 0 it keeps none, and everyone makes their own.
    """

    def __init__(
        self, most: int, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[Hashable, _Held[Value]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> tuple[Value, bool]:
        """Return the result of `key`, and whether it was remembered or is shared with one who was first.

        Raises what `make` raises. Who waits for another's attempt that fails makes its own: that one may have
        had less time.
        """
        while (held := self._held.get(key)) is not None and self._clock() < held.until:
            self._held.move_to_end(key)
            value = held.future.result() if held.future.done() else await asyncio.shield(held.future)
            if value is not None:
                return value, True
        return await self._first(key, make), False

    def known(self, key: Hashable) -> Value | None:
        """Return the result of `key` if it is remembered and made, else None."""
        held = self._held.get(key)
        if held is None or not held.future.done() or self._clock() >= held.until:
            return None
        return held.future.result()

    async def _first(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> Value:
        if not self._most:
            return await make()
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._held[key] = held = _Held(future, self._clock() + self._seconds)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        value: Value | None = None
        try:
            value = await make()
            return value
        finally:
            if value is None and self._held.get(key) is held:
                del self._held[key]
            future.set_result(value)
