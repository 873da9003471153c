"""Sends requests when they are due and notes what became of each."""

import asyncio
import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.gateway.v1.gateway_pb2 import AnswerInfo
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from bench.calls import Call, Shown, send

# A request that is due when its deadline has all but passed is still sent, so that it is counted.
_LEAST_TIMEOUT_SECONDS = 1e-3
# How often a generator that waits for a distant request looks whether it is to stop.
_STOP_SECONDS = 0.2
_REFUSED = "RESOURCE_EXHAUSTED"
# How long a client of a closed loop leaves a server alone that refused it.
_REFUSED_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """One run: what is asked, when, and how long an answer may take."""

    due: NDArray[np.float64]  # seconds from the start, ascending
    calls: Sequence[Call]  # one for each instant
    warm_up_seconds: float
    measured_seconds: float
    deadline_seconds: float


@dataclass
class Outcome:
    """What became of the requests due after the warm-up: row i of the first four lists is one request."""

    latencies: list[float] = field(default_factory=list)  # seconds from the intended send time to the end
    lags: list[float] = field(default_factory=list)  # seconds from the intended to the actual send time
    codes: list[str] = field(default_factory=list)  # gRPC status code names
    degraded: list[tuple[str, ...]] = field(default_factory=list)  # stages its answer lacked, if there is one
    stages: dict[str, list[float]] = field(default_factory=dict)  # seconds by stage, of answers
    models: dict[str, str] = field(default_factory=dict)  # versions by model name
    seconds: float = 0.0  # from the end of the warm-up to the last answer
    stopped_after: float | None = None  # seconds measured before the run was stopped, None when it was not

    def include(self, other: "Outcome") -> None:
        """Add what another generator of the same run noted."""
        self.latencies += other.latencies
        self.lags += other.lags
        self.codes += other.codes
        self.degraded += other.degraded
        for stage, seconds in other.stages.items():
            self.stages.setdefault(stage, []).extend(seconds)
        self.models |= other.models
        self.seconds = max(self.seconds, other.seconds)
        stops = [each for each in (self.stopped_after, other.stopped_after) if each is not None]
        self.stopped_after = max(stops, default=None)


def never() -> bool:
    """Never ask a run to stop."""
    return False


async def run(
    stubs: Sequence[GatewayServiceStub],
    plan: Plan,
    progress: Callable[[], object],
    stopped: Callable[[], bool] = never,
) -> dict[str, Outcome]:
    """Carry out the plan over the connections in turn; return its outcome by kind of call.

    Calls `progress` once for each request sent. Every request ends within its deadline, so the run ends too;
    asked to stop, it sends no more and waits for those under way.
    """
    kept, thrown_away = _outcomes(plan), _outcomes(plan)
    start = time.perf_counter()
    tasks, shown, connections = [], Shown(), itertools.cycle(stubs)
    stopped_after = None
    for due, call in zip(plan.due, plan.calls, strict=True):
        await _sleep_until(start + due, stopped)
        if stopped():
            stopped_after = max(0.0, time.perf_counter() - start - plan.warm_up_seconds)
            break
        outcome = (kept if due >= plan.warm_up_seconds else thrown_away)[call.kind]
        sending = functools.partial(send, next(connections), call, shown)
        tasks.append(asyncio.create_task(_note(sending, start + due, plan.deadline_seconds, outcome)))
        progress()
    await asyncio.gather(*tasks)
    for outcome in kept.values():
        outcome.seconds = time.perf_counter() - start - plan.warm_up_seconds
        outcome.stopped_after = stopped_after
    return kept


async def closed(
    stubs: Sequence[GatewayServiceStub],
    calls: Callable[[], Call],
    clients: int,
    plan: Plan,
    stopped: Callable[[], bool] = never,
) -> tuple[Outcome, int]:
    """Ask from `clients` at once, each as soon as it was answered, for the seconds of `plan`.

    Return the outcome, and how often a client was refused: it asks again a little later, as RetryInfo wants,
    and its latency runs from the first time. A closed loop asks less while the server stalls, so latencies
    leave out what would have waited (coordinated omission): what it tells is how throughput grows with calls
    under way.
    """
    start, kept, thrown_away, shown = time.perf_counter(), Outcome(), Outcome(), Shown()
    counted, refused = start + plan.warm_up_seconds, 0
    end = counted + plan.measured_seconds

    async def ask(stub: GatewayServiceStub, call: Call, asked: float) -> Outcome:
        nonlocal refused
        while True:
            one = Outcome()
            await _note(functools.partial(send, stub, call, shown), asked, plan.deadline_seconds, one)
            one.lags = [0.0]  # nothing is due at a time of its own
            late = time.perf_counter() + _REFUSED_SECONDS > asked + plan.deadline_seconds
            if one.codes != [_REFUSED] or late or stopped():
                return one
            refused += asked >= counted
            await asyncio.sleep(_REFUSED_SECONDS)

    async def client(stub: GatewayServiceStub) -> None:
        while (asked := time.perf_counter()) < end and not stopped():
            one = await ask(stub, calls(), asked)
            (kept if asked >= counted else thrown_away).include(one)

    await asyncio.gather(*(client(stub) for stub in itertools.islice(itertools.cycle(stubs), clients)))
    kept.seconds = time.perf_counter() - counted
    return kept, refused


def _outcomes(plan: Plan) -> dict[str, Outcome]:
    return {kind: Outcome() for kind in dict.fromkeys(call.kind for call in plan.calls)}


async def _note(
    sending: Callable[[float], Awaitable[AnswerInfo]], due: float, deadline_seconds: float, outcome: Outcome
) -> None:
    """Send at once, and note what became of it; `due` is the intended instant."""
    lag = time.perf_counter() - due
    code, info = "OK", None
    try:
        info = await sending(max(_LEAST_TIMEOUT_SECONDS, deadline_seconds - lag))
    except grpc.aio.AioRpcError as error:
        code = error.code().name
    outcome.latencies.append(time.perf_counter() - due)
    outcome.lags.append(lag)
    outcome.codes.append(code)
    outcome.degraded.append(_missing(info) if info is not None else ())
    if info is not None:
        _note_answer(info, outcome)


def _missing(info: AnswerInfo) -> tuple[str, ...]:
    return tuple(sorted({Stage.Name(each.stage).removeprefix("STAGE_") for each in info.degraded}))


def _note_answer(info: AnswerInfo, outcome: Outcome) -> None:
    outcome.models |= {each.name: each.version for each in info.models}
    for each in info.stages:
        outcome.stages.setdefault(each.stage, []).append(each.seconds)


async def _sleep_until(instant: float, stopped: Callable[[], bool]) -> None:
    # Waking late is noted as lag. A late generator still yields, so that answers are received meanwhile.
    for _ in range(int((instant - time.perf_counter()) / _STOP_SECONDS)):
        if stopped():
            return
        await asyncio.sleep(_STOP_SECONDS)
    await asyncio.sleep(max(0.0, instant - time.perf_counter()))
