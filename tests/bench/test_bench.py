"""The benchmark against a small real gateway whose faults are known."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from aisle.catalog.v1.serving_pb2 import Degradation, ModelVersion, Stage
from aisle.gateway.v1.gateway_pb2 import AnswerInfo, SearchRequest, SearchResponse
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from bench import arrivals, load, queries
from bench.__main__ import main
from bench.summary import summarise

# The servicer's other methods answer UNIMPLEMENTED, as generated.
_Servicer: Any = GatewayServiceServicer


class Gateway(_Servicer):  # type: ignore[misc]
    """Answers at once, but stalls for everybody when asked for "stall", and refuses "refuse"."""

    def __init__(self) -> None:
        self.ready_at = 0.0
        self.seen: list[str] = []

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:
        self.seen.append(request.query)
        if request.query == "refuse":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        if request.query == "stall":
            self.ready_at = time.monotonic() + 0.4
        await asyncio.sleep(max(0.0, self.ready_at - time.monotonic()))
        info = AnswerInfo(models=[ModelVersion(name="ranker", version="1")])
        if request.query == "degrade":
            info.degraded.append(Degradation(stage=Stage.STAGE_RANKING))
        return SearchResponse(info=info)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, str]]:
    servicer, server = Gateway(), grpc.aio.server()
    add_GatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def _run(address: str, asked: list[str], warm_up_seconds: float = 0.2) -> load.Outcome:
    due = arrivals.poisson(100, 1.0, seed=3)
    plan = load.Plan(due, asked, users=3, deadline_seconds=2, warm_up_seconds=warm_up_seconds, seed=3)
    return await load.run(address, plan, lambda: None)


def test_arrivals_are_poisson_and_repeat_with_their_seed() -> None:
    instants = arrivals.poisson(200, 50, seed=1)
    gaps = np.diff(instants)
    assert len(instants) == pytest.approx(10_000, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert np.array_equal(instants, arrivals.poisson(200, 50, seed=1))


async def test_one_stall_is_charged_to_every_request_due_during_it(gateway: tuple[Gateway, str]) -> None:
    outcome = await _run(gateway[1], ["stall"] + ["quick"] * 99, warm_up_seconds=1e-3)
    latencies = np.array(outcome.latencies)
    assert latencies.max() > 0.38
    # At 100/s some forty requests were due during the 400 ms: a closed loop would have seen one.
    assert (latencies > 0.05).sum() > 20
    assert summarise(outcome, 0.8).latencies["p95"] > 100


async def test_errors_and_degraded_answers_are_counted_apart(gateway: tuple[Gateway, str]) -> None:
    summary = summarise(await _run(gateway[1], ["refuse", "degrade", "quick", "quick"]), 0.8)
    refused = summary.errors["RESOURCE_EXHAUSTED"]
    assert refused == pytest.approx(summary.requests / 4, rel=0.5)
    assert summary.degraded["RANKING"] == pytest.approx(1 / 3, rel=0.5)
    assert summary.error_share == refused / summary.requests


async def test_warm_up_is_sent_but_not_counted(gateway: tuple[Gateway, str]) -> None:
    servicer, address = gateway
    outcome = await _run(address, ["quick"])
    due = arrivals.poisson(100, 1.0, seed=3)
    assert len(servicer.seen) == len(due)
    assert len(outcome.latencies) == (due >= 0.2).sum() < len(due)


async def test_run_ends_although_the_gateway_never_answers(gateway: tuple[Gateway, str]) -> None:
    gateway[0].ready_at = time.monotonic() + 3600
    due = arrivals.poisson(50, 0.4, seed=3)
    plan = load.Plan(due, ["x"], users=0, deadline_seconds=0.3, warm_up_seconds=0.01)
    async with asyncio.timeout(5):
        outcome = await load.run(gateway[1], plan, lambda: None)
    assert set(outcome.codes) == {"DEADLINE_EXCEEDED"}


async def test_command_prints_a_table_and_writes_the_same_figures(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    arguments = ["--gateway", gateway[1], "--rates", "20,40", "--duration", "1", "--warm-up", "0.2"]
    assert await asyncio.to_thread(main, [*arguments, "--out", str(out)]) == 0
    written = json.loads(out.read_text())
    rates = {name.split("/")[1] for name in written["figures"]}
    assert len(rates) == 2
    assert all(f"search/{rate}/p99.9_ms" in written["figures"] for rate in rates)
    assert {"commit", "machine", "settings", "models"} <= written.keys()
    assert out.with_suffix(".png").stat().st_size > 5_000
    assert "p99.9 ms" in capsys.readouterr().out


def test_unreachable_gateway_is_a_clear_exit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_CONNECT_SECONDS", 0.3)
    assert main(["--gateway", "127.0.0.1:1", "--rates", "5"]) == 1
    assert "make serve" in capsys.readouterr().err


def test_queries_come_from_lines_judgments_or_a_shop(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("red shoe\n\n红色 鞋\nred shoe\n", encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("query_idx\tquery\tasin\n0\ttowels\tA\n0\ttowels\tB\n1\tlamp\tC\n")
    assert queries.read(tmp_path / "lines.txt") == ["red shoe", "红色 鞋"]
    assert queries.read(tmp_path) == ["towels", "lamp"]
    with pytest.raises(queries.QueryFileError, match="no queries at"):
        queries.read(tmp_path / "absent")
