"""`python -m bench scale`: what it measures of each size, how it goes on, and what it leaves."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from bench import load
from bench.__main__ import main
from bench.calls import Call
from bench.connection import connect
from bench.measure import Target
from bench.mixes import Mix
from bench.options import parse
from bench.scale import steps
from bench.scale.builds import Built
from bench.scale.stack import together
from bench.serving import NotServed, started
from tests.bench.conftest import FaultyGateway

_PROCESSES = ("intent", "retrieval", "ranking", "gateway")


def _options(*arguments: str) -> argparse.Namespace:
    return parse(["scale", *arguments], [])


def test_middle_size_and_a_point_of_the_largest_are_held_out() -> None:
    options = _options("--candidates", "50,200", "--loads", "0.3,0.6")
    small, middle, large = (steps.of(size, options) for size in options.sizes)
    held_out = [step.name for step in [*small, *middle, *large] if step.held_out]
    assert held_out == ["30k/load_40", "100k/candidates_400"]
    assert [step.name for step in middle] == ["30k/pilot", "30k/load_40"]
    assert not any(step.part == steps.LOAD and not step.held_out for step in middle)
    assert [step.name for step in large] == [
        *("100k/pilot", "100k/load_30", "100k/load_60", "100k/candidates_50", "100k/candidates_400"),
        *("100k/quiet", "100k/writing", "100k/building"),
    ]
    names = [step.name for step in small]
    assert {"10k/clients_1", "10k/clients_64", "10k/intent_4", "10k/ranking_2"} <= set(names)
    assert len(names) == len(set(names))
    clients = steps.of(options.sizes[0], _options("--parts", "clients"))
    assert {step.part for step in clients} == {steps.LOAD, steps.CLIENTS}  # the pilot tells what a call costs


@pytest.mark.parametrize(
    "wrong",
    [
        ["--sizes", "10k,100k"],
        ["--sizes", "10k,30k,7k"],
        ["--candidates", "20"],
        ["--loads", "0.5"],
        ["--loads", "0.5,1.5"],
        ["--clients", "65"],
        ["--replicas", "5"],
        ["--parts", "disks"],
        ["--limit", "0"],
    ],
)
def test_bad_option_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        _options(*wrong)
    assert wrong[0].lstrip("-") in capsys.readouterr().err


def test_replicas_of_a_service_count_together() -> None:
    assert together({"intent": 1.0, "intent-2": 2.0, "ranking": 4.0}) == {"intent": 3.0, "ranking": 4.0}


async def test_clients_of_a_closed_loop_wait_for_their_answers(gateway: FaultyGateway) -> None:
    gateway.turn_seconds = 0.02
    plan = load.Plan(due=np.empty(0), calls=[], warm_up_seconds=0.2, measured_seconds=1, deadline_seconds=1)
    async with connect(gateway.address, 2) as stubs:
        outcome, refused = await load.closed(stubs, lambda: Call("search", "shoes", ""), 3, plan)
    # One call after the other, each in a fiftieth of a second.
    assert 3 <= len(outcome.latencies) <= 53
    assert min(outcome.latencies) >= 0.02
    assert len(gateway.peers) == 2 and refused == 0


async def test_refused_client_asks_again_and_its_latency_runs_from_the_first_time(
    gateway: FaultyGateway,
) -> None:
    gateway.refusals = 3
    plan = load.Plan(np.empty(0), [], warm_up_seconds=0, measured_seconds=0.5, deadline_seconds=1)
    async with connect(gateway.address) as stubs:
        outcome, refused = await load.closed(stubs, lambda: Call("search", "shoes", ""), 1, plan)
    assert refused == 3 and set(outcome.codes) == {"OK"}
    assert outcome.latencies[0] >= 0.15


async def test_client_that_is_always_refused_gives_up_at_its_deadline(gateway: FaultyGateway) -> None:
    plan = load.Plan(np.empty(0), [], warm_up_seconds=0, measured_seconds=0.1, deadline_seconds=1)
    async with connect(gateway.address) as stubs:
        outcome, refused = await load.closed(stubs, lambda: Call("search", "refuse", ""), 1, plan)
    assert outcome.codes == ["RESOURCE_EXHAUSTED"] and 1 <= refused <= 20


def test_process_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    wrong = started("gateway", ["--candidates", "0", "--state", str(tmp_path)], {})
    with pytest.raises(NotServed, match="--candidates"), wrong:
        pass


def test_started_process_tells_where_it_listens(tmp_path: Path) -> None:
    with started("gateway", ["--state", str(tmp_path)], {}) as process:
        host, _, port = process.address.partition(":")
        assert host == "127.0.0.1" and int(port) > 0
        assert process.metrics.startswith("127.0.0.1:")


@pytest.fixture
def metrics(gateway: FaultyGateway) -> Iterator[dict[str, str]]:
    """Four processes that tell of the gateway's calls: 2 ms of CPU each, 50 MB each."""
    registry = CollectorRegistry()
    handling = Histogram(
        "grpc_server_handling_seconds", "Seconds.", ["grpc_service"], registry=registry
    ).labels("aisle.gateway.v1.GatewayService")
    cpu = Counter("process_cpu_seconds", "CPU.", registry=registry)
    Gauge("process_resident_memory_bytes", "Bytes.", registry=registry).set(50e6)

    def handled() -> None:
        handling.observe(0.001)
        cpu.inc(0.002)

    gateway.handled = handled
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield dict.fromkeys(_PROCESSES, f"127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


class _Stack:
    recall: ClassVar = {"recall@100": 0.98}

    def __init__(self, gateway: FaultyGateway, metrics: dict[str, str]) -> None:
        self._gateway, self._metrics = gateway, metrics
        self.asked: list[steps.Step] = []

    @asynccontextmanager
    async def building(self) -> AsyncIterator[Built]:
        yield Built(products=60, seconds=3.0)

    @asynccontextmanager
    async def target(self, step: steps.Step) -> AsyncIterator[Target]:
        self.asked.append(step)
        async with connect(self._gateway.address) as stubs:
            yield Target(
                self._gateway.address, stubs, Mix(["red shoe", "黑色 T恤"], draw="cold"), self._metrics
            )


@pytest.fixture
def stack(gateway: FaultyGateway, metrics: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> _Stack:
    """A stack of the real gateway in place of one that is served."""
    stack = _Stack(gateway, metrics)

    @asynccontextmanager
    async def serving(*_: Any) -> AsyncIterator[_Stack]:
        yield stack

    monkeypatch.setattr("bench.scale.runs.serving", serving)
    return stack


_SHORT = (
    "--duration",
    "0.5",
    "--warmup",
    "0.1",
    "--loads",
    "0.2,0.3",
    "--pilot",
    "30",
    "--replicas",
    "1",
    "--writes",
    "100",
)


async def test_run_ends_at_its_limit_goes_on_and_leaves_figures_and_a_picture(
    stack: _Stack, gateway: FaultyGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("shoe\nlamp\n", encoding="utf-8")
    out = tmp_path / "scale.json"
    narrow = ["--candidates", "50,200", "--clients", "1,4", "--queries", str(queries)]
    arguments = ["scale", *_SHORT, *narrow, "--out", str(out)]
    assert await asyncio.to_thread(main, [*arguments, "--limit", "2"]) == 0
    assert not out.exists() and "goes on where this one ended" in capsys.readouterr().out
    first = len(stack.asked)
    assert await asyncio.to_thread(main, arguments) == 0
    printed = capsys.readouterr().out
    assert "points are there already" in printed
    names = [step.name for step in stack.asked]
    assert len(names) == len(set(names)) > first > 0
    written = json.loads(out.read_text(encoding="utf-8"))
    figures = written["figures"]
    assert figures["scale/10k/load_20/cpu_gateway_ms"] == pytest.approx(2, abs=0.1)
    assert figures["scale/10k/clients_4/qps"] > 0
    assert figures["scale/largest_over_smallest/p50"] == pytest.approx(
        figures["scale/100k/pilot/p50_ms"] / figures["scale/10k/pilot/p50_ms"], rel=1e-3
    )
    assert figures["scale/100k/pilot/recall@100"] == 0.98
    assert "recall@100 0.980 (of 0.980)" in printed
    assert figures["plan/100k/candidates_400/predicted_over_measured"] == pytest.approx(1, abs=0.05)
    assert figures["plan/30k/load_40/memory_predicted_over_measured"] == pytest.approx(1, abs=0.01)
    assert figures["scale/10k/writing/writes_per_second"] > 0
    assert figures["scale/10k/writing/failed_writes"] > 0
    assert figures["scale/10k/building/embedded_per_second"] == 20
    assert figures["scale/100k/building/p99_over_quiet"] > 0
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "a closed loop answers most" in printed and "M/M/" in printed
    assert len({product.price.amount for product in gateway.written}) > 1
    assert any("title" in str(product) for product in gateway.written)
    goal = ["plan", "--rate", "10", "--products", "50000", "--p99-ms", "500", "--measured", str(out)]
    assert main([*goal, "--out", str(tmp_path / "plan.json")]) == 0


async def test_writes_alone_are_told_and_nothing_is_fitted(
    stack: _Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scale.json"
    queries = tmp_path / "queries.txt"
    queries.write_text("shoe\n", encoding="utf-8")
    arguments = ["scale", *_SHORT, "--parts", "writes", "--queries", str(queries), "--out", str(out)]
    assert await asyncio.to_thread(main, arguments) == 0
    assert "100k/writing: " in capsys.readouterr().out
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert figures["scale/100k/writing/cpu_over_quiet"] > 0
    assert not any(name.startswith("scale/fit") for name in figures)
    assert not out.with_suffix(".png").exists()
    goal = ["plan", "--rate", "10", "--products", "50000", "--p99-ms", "500", "--measured", str(out)]
    assert main([*goal, "--out", str(tmp_path / "plan.json")]) == 1
    assert "make bench-scale" in capsys.readouterr().err


async def test_gateway_that_tells_no_cpu_is_a_sentence(
    stack: _Stack, gateway: FaultyGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.handled = lambda: None
    arguments = ["scale", *_SHORT, "--queries", str(tmp_path / "absent"), "--out", str(tmp_path / "s.json")]
    assert await asyncio.to_thread(main, arguments) == 1
    assert "told nothing of the calls of 10k/pilot" in capsys.readouterr().err
