"""The latest results by key, each made once however many ask for it at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Keeps the `most` results asked for last; with 0 it keeps none, and everyone makes their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, asyncio.Future[Value | None]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> tuple[Value, bool]:
        """Return the result of `key`, and whether it was remembered or is shared with one who was first.

        Raises what `make` raises. Who waits for another's attempt that fails makes its own: that one may have
        had less time.
        """
        while (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
            value = await asyncio.shield(held)
            if value is not None:
                return value, True
        return await self._first(key, make), False

    async def _first(self, key: Hashable, make: Callable[[], Awaitable[Value]]) -> Value:
        if not self._most:
            return await make()
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._held[key] = future
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        value: Value | None = None
        try:
            value = await make()
            return value
        finally:
            if value is None and self._held.get(key) is future:
                del self._held[key]
            future.set_result(value)
