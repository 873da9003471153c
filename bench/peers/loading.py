"""Loads one system: by clients that never pause, or by requests that are due whatever it does."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.arrivals import poisson
from bench.peers.clients import AskError, Client
from bench.summary import percentile

_WARM_UP_SECONDS = 0.5


@dataclass
class Answers:
    """What became of the requests of a run."""

    seconds: float
    latencies: list[float] = field(default_factory=list)  # seconds, of those answered
    errors: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)  # seconds that a request was sent after it was due

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def at(self, percent: float) -> float:
        """The percentile of the latencies, in milliseconds; NaN when none was answered."""
        return percentile(1000 * np.array(self.latencies), percent) if self.latencies else float("nan")


async def closed(client: Client, queries: Sequence[str], clients: int, seconds: float) -> Answers:
    """Ask from `clients` at once, each as soon as it was answered; the first half second is not counted."""
    start = time.perf_counter() + _WARM_UP_SECONDS
    stop = start + seconds
    answers = Answers(seconds)

    async def one(asked: Iterator[str]) -> None:
        while (sent := time.perf_counter()) < stop:
            error = await _ask(client, next(asked))
            ended = time.perf_counter()
            if sent < start or ended >= stop:
                continue
            if error:
                answers.errors[error] += 1
            else:
                answers.latencies.append(ended - sent)

    deck = itertools.cycle(queries)
    await asyncio.gather(*(one(deck) for _ in range(clients)))
    return answers


async def open_loop(
    client: Client, queries: Sequence[str], rate: float, seconds: float, seed: int
) -> Answers:
    """Ask at the instants of a Poisson process; latencies count from when a request was due."""
    answers = Answers(seconds)
    start = time.perf_counter()

    async def one(due: float, query: str) -> None:
        answers.lags.append(time.perf_counter() - due)
        error = await _ask(client, query)
        if error:
            answers.errors[error] += 1
        else:
            answers.latencies.append(time.perf_counter() - due)

    tasks = []
    for due, query in zip(poisson(rate, seconds, seed), itertools.cycle(queries), strict=False):
        await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(start + due, query)))
    await asyncio.gather(*tasks)
    return answers


async def _ask(client: Client, query: str) -> str:
    """Return why there was no answer, "" when there was one."""
    try:
        await client.ask(query)
    except AskError as error:
        return str(error)
    return ""
