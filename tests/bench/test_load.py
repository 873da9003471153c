"""The load generator against a gateway whose faults are known."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from bench import arrivals, load, processes, saturation
from bench.calls import Call
from bench.connection import UnreachableError, connect
from bench.measure import Load, Stop, Target
from bench.mixes import Mix
from bench.summary import Summary, summarise
from tests.bench.conftest import STALL_SECONDS, FaultyGateway

_RATE = 100.0


def _plan(special: list[str], seconds: float = 1.0, warm_up_seconds: float = 0.2) -> load.Plan:
    """A plan whose first measured requests are `special`, and whose others are answered at once."""
    due = arrivals.poisson(_RATE, seconds, seed=3)
    first = int((due < warm_up_seconds).sum())
    queries = ["quick"] * len(due)
    queries[first : first + len(special)] = special
    calls = [Call("search", query, f"bench-{number % 3}") for number, query in enumerate(queries)]
    return load.Plan(due, calls, warm_up_seconds, seconds - warm_up_seconds, deadline_seconds=2)


async def _outcome(stubs: Sequence[GatewayServiceStub], plan: load.Plan) -> load.Outcome:
    return (await load.run(stubs, plan, lambda: None))["search"]


async def _summary(gateway: FaultyGateway, plan: load.Plan, connections: int = 1) -> Summary:
    async with connect(gateway.address, connections) as stubs:
        return summarise("rate_100", _RATE, plan, await _outcome(stubs, plan))


async def test_one_stall_is_charged_to_every_request_due_during_it(gateway: FaultyGateway) -> None:
    plan = _plan(["stall"])
    async with connect(gateway.address) as stubs:
        outcome = await _outcome(stubs, plan)
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
        run = asyncio.create_task(_outcome(stubs, plan))
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
    plan = load.Plan(
        due, [Call("search", "x", "")] * len(due), 0.01, measured_seconds=0.39, deadline_seconds=0.3
    )
    async with asyncio.timeout(5), connect(gateway.address) as stubs:
        outcome = await _outcome(stubs, plan)
    assert Counter(outcome.codes) == {"DEADLINE_EXCEEDED": (due >= 0.01).sum()}


async def test_requests_spread_over_the_connections(gateway: FaultyGateway) -> None:
    await _summary(gateway, _plan([]), connections=3)
    assert len(gateway.peers) == 3


async def test_saturation_is_what_a_gateway_answers_however_long_its_queue_may_grow(
    gateway: FaultyGateway,
) -> None:
    gateway.turn_seconds = 0.02
    settings = Load(duration=9, warmup=9, deadline_ms=5_000, seed=1)
    async with connect(gateway.address) as stubs:
        target = Target(gateway.address, stubs, Mix(["quick"]), {})
        found = await saturation.find(target, settings, Stop(), seconds=1.5)
    # No call of any rate is late: only a backlog that grows tells which is too high.
    assert 30 < found.rate < 60
    assert found.peak <= 51


async def test_gateway_whose_answers_are_never_whole_has_no_saturation(gateway: FaultyGateway) -> None:
    settings = Load(duration=1, warmup=1, deadline_ms=1_000, seed=1)
    gateway.turn_seconds = 0.05
    async with connect(gateway.address) as stubs:
        target = Target(gateway.address, stubs, Mix(["degrade"]), {})
        with pytest.raises(ValueError, match="answered no rate"):
            await saturation.find(target, settings, Stop(), seconds=0.3)


async def test_calls_of_every_kind_are_sent_and_told_apart(gateway: FaultyGateway) -> None:
    due = arrivals.poisson(_RATE, 0.9, seed=4)
    kinds = ["search", "recommend", "events"]
    calls = [
        Call(kinds[number % 3], "quick" if number % 3 == 0 else "", f"bench-{kinds[number % 3]}")
        for number in range(len(due))
    ]
    async with connect(gateway.address) as stubs:
        found = await load.run(
            stubs, load.Plan(due, calls, 0.01, measured_seconds=0.89, deadline_seconds=2), lambda: None
        )
    counted = Counter(call.kind for call, at in zip(calls, due, strict=True) if at >= 0.01)
    assert {kind: len(outcome.latencies) for kind, outcome in found.items()} == counted
    assert all(set(outcome.codes) == {"OK"} for outcome in found.values())
    assert {event.user_id for event in gateway.events} == {"bench-events"}
    # Clicks are on what searches showed, once there was an answer.
    assert {event.product_id for event in gateway.events} >= {"shown"}
    assert len({event.event_id for event in gateway.events}) == len(gateway.events)


async def test_several_processes_send_the_whole_plan_once(gateway: FaultyGateway) -> None:
    plan = _plan([])
    started: list[bool] = []
    generator = processes.Generator(gateway.address, processes=2, connections=1)
    found = await processes.run(generator, plan, lambda: started.append(True), load.never)
    assert started == [True]
    assert len(gateway.seen) == len(plan.due) and len(gateway.peers) == 2
    assert len(found["search"].latencies) == (plan.due >= plan.warm_up_seconds).sum()
    assert found["search"].models == {"ranker": "1"}


async def test_a_process_that_cannot_start_is_told_and_the_others_end() -> None:
    generator = processes.Generator("127.0.0.1:1", processes=2, connections=1)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        await processes.run(generator, _plan([]), lambda: None, load.never)


async def test_stopped_run_reports_the_seconds_it_measured(gateway: FaultyGateway) -> None:
    plan = _plan([], seconds=60)
    async with asyncio.timeout(20), connect(gateway.address) as stubs:
        outcome = (await load.run(stubs, plan, lambda: None, lambda: len(gateway.seen) >= 50))["search"]
    assert outcome.stopped_after is not None
    measured = (plan.due >= plan.warm_up_seconds)[: len(gateway.seen)].sum()
    assert len(outcome.latencies) == measured
    assert summarise("", _RATE, plan, outcome).offered == pytest.approx(measured / outcome.stopped_after)
