"""Sends requests when they are due and notes what became of each."""

import asyncio
import itertools
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
# A request that is due when its deadline has all but passed is still sent, so that it is counted.
_LEAST_TIMEOUT_SECONDS = 1e-3


@dataclass(frozen=True)
class Plan:
    """One run: what is asked, when, and how long an answer may take."""

    due: NDArray[np.float64]  # seconds from the start, ascending
    queries: Sequence[str]  # one for each instant
    warm_up_seconds: float
    measured_seconds: float
    deadline_seconds: float
    users: int = 0  # distinct users, 0 for anonymous requests
    seed: int = 0


@dataclass
class Outcome:
    """What became of the requests due after the warm-up: row i of the first three lists is one request."""

    latencies: list[float] = field(default_factory=list)  # seconds from the intended send time to the end
    lags: list[float] = field(default_factory=list)  # seconds from the intended to the actual send time
    codes: list[str] = field(default_factory=list)  # gRPC status code names
    degraded: list[tuple[str, ...]] = field(default_factory=list)  # stages each answer lacked
    stages: dict[str, list[float]] = field(default_factory=dict)  # seconds by stage, of answers
    models: dict[str, str] = field(default_factory=dict)  # versions by model name
    seconds: float = 0.0  # from the end of the warm-up to the last answer


async def run(stubs: Sequence[GatewayServiceStub], plan: Plan, progress: Callable[[], object]) -> Outcome:
    """Carry out the plan over the connections in turn; call `progress` once for each request sent.

    Every request ends within its deadline, so the run ends too.
    """
    outcome, thrown_away = Outcome(), Outcome()
    users = np.random.default_rng(plan.seed).integers(0, max(1, plan.users), len(plan.due))
    start = time.perf_counter()
    tasks = []
    connections = itertools.cycle(stubs)
    for due, query, user in zip(plan.due, plan.queries, users, strict=True):
        await _sleep_until(start + due)
        name = f"bench-{user}" if plan.users else ""
        request = SearchRequest(query=query, user_id=name, page_size=_PAGE_SIZE)
        kept = outcome if due >= plan.warm_up_seconds else thrown_away
        sending = _send(next(connections), request, start + due, plan.deadline_seconds, kept)
        tasks.append(asyncio.create_task(sending))
        progress()
    await asyncio.gather(*tasks)
    outcome.seconds = time.perf_counter() - start - plan.warm_up_seconds
    return outcome


async def _send(
    stub: GatewayServiceStub, request: SearchRequest, due: float, deadline_seconds: float, outcome: Outcome
) -> None:
    lag = time.perf_counter() - due
    code, answer = "OK", None
    timeout = max(_LEAST_TIMEOUT_SECONDS, deadline_seconds - lag)
    try:
        answer = await stub.Search(request, timeout=timeout)  # type: ignore[misc]
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
