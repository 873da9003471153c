"""Several load processes, for rates one process cannot send in time."""

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event

from bench import load
from bench.connection import connect

_START_SECONDS = 60.0
_POLL_SECONDS = 0.1

# What a process of the pool was given when it started: semaphores travel at no other time.
_given: list[tuple[Barrier, Event]] = []


@dataclass(frozen=True)
class Generator:
    """How many processes load which gateway, each over how many connections."""

    gateway: str
    processes: int
    connections: int


def split(plan: load.Plan, parts: int) -> list[load.Plan]:
    """Return every `parts`-th request of a plan, once for each start; the parts together are the plan."""
    return [
        load.Plan(
            plan.due[part::parts],
            plan.calls[part::parts],
            plan.warm_up_seconds,
            plan.measured_seconds,
            plan.deadline_seconds,
        )
        for part in range(parts)
    ]


async def run(
    generator: Generator, plan: load.Plan, started: Callable[[], object], stopped: Callable[[], bool]
) -> dict[str, load.Outcome]:
    """Carry out a plan from several processes that start together; return its outcome by kind of call.

    Calls `started` when they do. Raises what a process raises, and threading.BrokenBarrierError when one does
    not start within a minute.
    """
    context = multiprocessing.get_context("spawn")  # gRPC does not survive a fork
    barrier, stop = context.Barrier(generator.processes + 1), context.Event()
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(generator.processes, context, _start, (barrier, stop)) as pool:
        shares = [
            loop.run_in_executor(pool, _share, generator, part) for part in split(plan, generator.processes)
        ]
        await _start_together(barrier, shares)
        started()
        pending: set[asyncio.Future[dict[str, load.Outcome]]] = set(shares)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=_POLL_SECONDS)
            if stopped():
                stop.set()
    return _together([share.result() for share in shares])


async def _start_together(
    barrier: Barrier, shares: Sequence[asyncio.Future[dict[str, load.Outcome]]]
) -> None:
    def abort(_: object) -> None:
        barrier.abort()  # one could not start: the others must not wait for it

    for share in shares:
        share.add_done_callback(abort)
    try:
        await asyncio.to_thread(barrier.wait, _START_SECONDS)
    except threading.BrokenBarrierError:
        await asyncio.wait(shares)
        errors = [share.exception() for share in shares]
        raise next(
            (each for each in errors if each and not isinstance(each, threading.BrokenBarrierError)),
            TimeoutError(f"the load processes did not start within {_START_SECONDS:g} s"),
        ) from None


def _together(parts: list[dict[str, load.Outcome]]) -> dict[str, load.Outcome]:
    whole: dict[str, load.Outcome] = {}
    for part in parts:
        for kind, outcome in part.items():
            whole.setdefault(kind, load.Outcome()).include(outcome)
    return whole


def _start(barrier: Barrier, stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears Ctrl-C and tells the others
    _given.append((barrier, stop))


def _share(generator: Generator, plan: load.Plan) -> dict[str, load.Outcome]:
    return asyncio.run(_send_share(generator, plan))


async def _send_share(generator: Generator, plan: load.Plan) -> dict[str, load.Outcome]:
    barrier, stop = _given[0]
    async with connect(generator.gateway, generator.connections) as stubs:
        await asyncio.to_thread(barrier.wait, _START_SECONDS)
        return await load.run(stubs, plan, lambda: None, stop.is_set)
