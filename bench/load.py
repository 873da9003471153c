"""Sends requests when they are due and notes what became of each."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.gateway.v1.gateway_pb2 import SearchRequest, SearchResponse
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

_PAGE_SIZE = 10
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """One run: what is asked, when, and how long an answer may take."""

    due: NDArray[np.float64]  # seconds from the start, ascending
    queries: Sequence[str]
    users: int
    deadline_seconds: float
    warm_up_seconds: float
    seed: int = 0


@dataclass
class Outcome:
    """What became of the requests due after the warm-up: row i of every list is one request."""

    latencies: list[float] = field(default_factory=list)  # seconds from the intended send time to the end
    lags: list[float] = field(default_factory=list)  # seconds from the intended to the actual send time
    codes: list[str] = field(default_factory=list)  # gRPC status code names
    degraded: list[tuple[str, ...]] = field(default_factory=list)  # stages the answer lacked
    stages: dict[str, list[float]] = field(default_factory=dict)  # seconds by stage, of answers
    models: dict[str, str] = field(default_factory=dict)  # versions by model name
    seconds: float = 0.0  # from the end of the warm-up to the last answer


async def reachable(gateway: str) -> bool:
    """Return whether a gateway accepts connections within a few seconds."""
    async with grpc.aio.insecure_channel(gateway) as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), _CONNECT_SECONDS)
        except TimeoutError:
            return False
    return True


async def run(gateway: str, plan: Plan, progress: Callable[[], None]) -> Outcome:
    """Carry out the plan; every request ends within its deadline, so the run does too."""
    outcome = Outcome()
    rng = np.random.default_rng(plan.seed)
    asked = rng.permutation(np.resize(np.arange(len(plan.queries)), len(plan.due)))
    users = rng.integers(0, max(1, plan.users), len(plan.due))
    async with grpc.aio.insecure_channel(gateway) as channel:
        stub = GatewayServiceStub(channel)
        start = time.perf_counter()
        tasks = []
        for due, query, user in zip(plan.due, asked, users, strict=True):
            await _sleep_until(start + due)
            request = SearchRequest(
                query=plan.queries[query],
                user_id=f"bench-{user}" if plan.users else "",
                page_size=_PAGE_SIZE,
            )
            kept = outcome if due >= plan.warm_up_seconds else Outcome()
            tasks.append(asyncio.create_task(_send(stub, request, start + due, plan.deadline_seconds, kept)))
            progress()
        await asyncio.gather(*tasks)
        outcome.seconds = time.perf_counter() - start - plan.warm_up_seconds
    return outcome


async def _send(
    stub: GatewayServiceStub, request: SearchRequest, due: float, deadline_seconds: float, outcome: Outcome
) -> None:
    lag = time.perf_counter() - due
    code, answer = "OK", None
    try:
        answer = await stub.Search(request, timeout=max(1e-3, deadline_seconds - lag))  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        code = error.code().name
    outcome.latencies.append(time.perf_counter() - due)
    outcome.lags.append(lag)
    outcome.codes.append(code)
    if answer is not None:
        _note(answer, outcome)


def _note(answer: SearchResponse, outcome: Outcome) -> None:
    missing = {Stage.Name(each.stage).removeprefix("STAGE_") for each in answer.info.degraded}
    outcome.degraded.append(tuple(sorted(missing)))
    outcome.models |= {each.name: each.version for each in answer.info.models}
    for each in answer.info.stages:
        outcome.stages.setdefault(each.stage, []).append(each.seconds)


async def _sleep_until(instant: float) -> None:
    # Waking late is noted as lag. A late generator still yields, so that answers are received meanwhile.
    left = instant - time.perf_counter()
    await asyncio.sleep(max(0.0, left))
