"""The load generator against a gateway whose faults are known."""

import asyncio
import time
from collections import Counter

import numpy as np
import pytest

from bench import arrivals, load, saturation
from bench.connection import connect
from bench.summary import Summary, summarise
from tests.bench.conftest import STALL_SECONDS, FaultyGateway

_RATE = 100.0


def _plan(special: list[str], seconds: float = 1.0, warm_up_seconds: float = 0.2) -> load.Plan:
    """A plan whose first measured requests are `special`, and whose others are answered at once."""
    due = arrivals.poisson(_RATE, seconds, seed=3)
    first = int((due < warm_up_seconds).sum())
    queries = ["quick"] * len(due)
    queries[first : first + len(special)] = special
    return load.Plan(due, queries, warm_up_seconds, seconds - warm_up_seconds, deadline_seconds=2, users=3)


async def _summary(gateway: FaultyGateway, plan: load.Plan, connections: int = 1) -> Summary:
    async with connect(gateway.address, connections) as stubs:
        return summarise("rate_100", _RATE, plan, await load.run(stubs, plan, lambda: None))


async def test_one_stall_is_charged_to_every_request_due_during_it(gateway: FaultyGateway) -> None:
    plan = _plan(["stall"])
    async with connect(gateway.address) as stubs:
        outcome = await load.run(stubs, plan, lambda: None)
    latencies = np.array(outcome.latencies)
    stall_starts = plan.due[plan.due >= plan.warm_up_seconds][0]
    due_meanwhile = ((plan.due >= stall_starts) & (plan.due < stall_starts + STALL_SECONDS - 0.05)).sum()
    # A generator that waited for answers would have seen one slow request; this many were due.
    assert due_meanwhile > 10
    assert (latencies > 0.04).sum() >= due_meanwhile
    assert summarise("", _RATE, plan, outcome).latencies_ms["p99"] > 1000 * STALL_SECONDS * 0.9


async def test_a_late_generator_is_charged_for_its_own_lag(gateway: FaultyGateway) -> None:
    plan = _plan([])
    async with connect(gateway.address) as stubs:
        run = asyncio.create_task(load.run(stubs, plan, lambda: None))
        await asyncio.sleep(0.5)
        time.sleep(0.3)  # noqa: ASYNC251 - the generator's event loop is held up on purpose
        summary = summarise("", _RATE, plan, await run)
    assert summary.lag_p99_ms > 200
    assert summary.latencies_ms["p99"] >= summary.lag_p99_ms
    assert summary.doubtful


async def test_errors_are_counted_by_code_and_as_slow_as_their_deadline(gateway: FaultyGateway) -> None:
    summary = await _summary(gateway, _plan(["refuse"] * 20))
    assert summary.errors == {"RESOURCE_EXHAUSTED": 20}
    assert summary.error_share == 20 / summary.requests
    # Twenty quick refusals in about eighty must show in p95, not improve it.
    assert summary.latencies_ms["p95"] == 2000
    assert summary.errors_p99_ms is not None and summary.errors_p99_ms < 500


async def test_degraded_answers_are_shared_out_by_stage(gateway: FaultyGateway) -> None:
    summary = await _summary(gateway, _plan(["degrade"] * 20))
    assert summary.errors == {}
    assert summary.degraded == {"RANKING": summary.degraded_share}
    assert summary.degraded_share == pytest.approx(20 / summary.requests)
    assert summary.stages_p50_ms == {"retrieval/dense": pytest.approx(3)}


async def test_warm_up_is_sent_but_not_counted(gateway: FaultyGateway) -> None:
    plan = _plan([])
    summary = await _summary(gateway, plan)
    assert len(gateway.seen) == len(plan.due)
    assert summary.requests == (plan.due >= plan.warm_up_seconds).sum() < len(plan.due)
    assert {request.user_id for request in gateway.seen} == {"bench-0", "bench-1", "bench-2"}


async def test_run_ends_although_the_gateway_never_answers(gateway: FaultyGateway) -> None:
    gateway.stalled_until = time.monotonic() + 3600
    due = arrivals.poisson(50, 0.4, seed=3)
    plan = load.Plan(due, ["x"] * len(due), warm_up_seconds=0.01, measured_seconds=0.39, deadline_seconds=0.3)
    async with asyncio.timeout(5), connect(gateway.address) as stubs:
        outcome = await load.run(stubs, plan, lambda: None)
    assert Counter(outcome.codes) == {"DEADLINE_EXCEEDED": (due >= 0.01).sum()}


async def test_requests_spread_over_the_connections(gateway: FaultyGateway) -> None:
    await _summary(gateway, _plan([]), connections=3)
    assert len(gateway.peers) == 3


async def test_closed_loop_counts_answers_alone(gateway: FaultyGateway) -> None:
    asked = iter(range(10**9))

    def query() -> str:
        # Refusals make the clients pause, which leaves this process time for the server.
        return "quick" if next(asked) % 2 else "refuse"

    async with connect(gateway.address) as stubs:
        peak = await saturation.find(stubs, query, seconds=0.5)
    answered = sum(request.query == "quick" for request in gateway.seen)
    assert 0 < peak * 0.5 <= answered
