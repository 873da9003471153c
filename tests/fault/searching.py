"""Searches that go on while something breaks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.gateway.v1.gateway_pb2 import SearchRequest, SearchResponse

_WORKERS = 4
_TIMEOUT_SECONDS = 10.0
_MENDED_SECONDS = 30.0


def missing(answer: Any) -> set[str]:
    """Return the names of the stages an answer was made without."""
    return {Stage.Name(each.stage) for each in answer.info.degraded}


def reasons(answer: Any) -> set[str]:
    """Return why they were missing, each in one word."""
    return {each.reason.partition(":")[0] for each in answer.info.degraded}


async def search(gateway: Any, timeout: float = _TIMEOUT_SECONDS) -> SearchResponse:  # noqa: ASYNC109
    """Search once."""
    request = SearchRequest(query="black summer t-shirt", user_id="a user")
    answer: SearchResponse = await gateway.Search(request, timeout=timeout)
    return answer


async def until_whole(gateway: Any) -> None:
    """Search until nothing is missing any more."""
    async with asyncio.timeout(_MENDED_SECONDS):
        while True:
            if not missing(await search(gateway)):
                return
            await asyncio.sleep(0.05)


@dataclass
class Searches:
    """Answers by the instant their searches began; an error of any search ends the block that searches."""

    answers: list[tuple[float, SearchResponse]] = field(default_factory=list)

    async def more(self, count: int) -> None:
        """Wait for `count` more answers to searches that begin from now on."""
        start = time.monotonic()
        while True:
            if len(self.since(start)) >= count:
                return
            await asyncio.sleep(0.01)

    def since(self, instant: float) -> list[SearchResponse]:
        """Return the answers to searches begun after an instant of `time.monotonic()`."""
        return [answer for began, answer in self.answers if began >= instant]


@asynccontextmanager
async def searching(gateway: Any) -> AsyncIterator[Searches]:
    """Keep searching with several workers until the block ends."""
    searches = Searches()

    async def work() -> None:
        while True:
            began = time.monotonic()
            searches.answers.append((began, await search(gateway)))

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(_WORKERS)]
        yield searches
        for worker in workers:
            worker.cancel()
