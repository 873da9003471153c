"""The contest of served encoders: loads against a real server, ratios of made-up rounds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.intent.v1.intent_pb2 import LabelProbability, Understanding, UnderstandRequest, UnderstandResponse
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer, add_IntentServiceServicer_to_server
from bench.peers import clients, environments, report
from bench.peers.__main__ import main
from bench.peers.loading import closed, open_loop
from bench.peers.runs import Outcome
from bench.peers.systems import SYSTEMS, System, served

_Servicer: Any = IntentServiceServicer


class _Reader(_Servicer):  # type: ignore[misc]
    """Answers with one intent; refuses "refuse", and says nothing of "nothing"."""

    async def Understand(self, request: UnderstandRequest, context: Any) -> UnderstandResponse:
        if request.query == "refuse":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        await asyncio.sleep(0.02)
        intents = [] if request.query == "nothing" else [LabelProbability(label="browse", probability=1)]
        return UnderstandResponse(understanding=Understanding(intents=intents))


@pytest.fixture
async def client() -> AsyncIterator[clients.Client]:
    """A client of a served reader."""
    server = grpc.aio.server()
    add_IntentServiceServicer_to_server(_Reader(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    asking = clients.Understanding(port)
    yield asking
    await asking.close()
    await server.stop(None)


async def test_closed_loop_counts_answers_of_all_clients(client: clients.Client) -> None:
    alone = await closed(client, ["lamp"], 1, 0.3)
    many = await closed(client, ["lamp"], 8, 0.3)
    assert many.per_second > 2 * alone.per_second > 0
    assert alone.at(50) >= 20
    assert not many.errors


async def test_an_answer_without_intents_and_a_refusal_are_errors(client: clients.Client) -> None:
    answers = await closed(client, ["lamp", "refuse", "nothing"], 1, 0.3)
    assert set(answers.errors) == {"RESOURCE_EXHAUSTED", "an answer without intents"}
    assert answers.latencies


async def test_open_loop_counts_latency_from_when_a_request_was_due(client: clients.Client) -> None:
    answers = await open_loop(client, ["lamp"], 50, 0.4, seed=3)
    assert len(answers.latencies) == len(answers.lags) > 5
    assert min(answers.latencies) >= 0.02


def test_ratios_are_taken_round_by_round_against_the_best_peer() -> None:
    outcome = Outcome()
    for place, speed in enumerate((100.0, 120.0)):
        outcome.note("in-process", place, {"throughput_qps": 2 * speed, "alone_p50_ms": 2.0})
        for name, share in (("aisle", 1.5), ("plain-grpc", 0.5), ("mosec", 1.0)):
            measures = {"throughput_qps": share * speed, "alone_p50_ms": 3.0, "half_p99_ms": 10 / share}
            outcome.note(name, place, measures)
    found = report.figures(outcome)
    assert found["encoder/throughput-over-best-peer"] == pytest.approx(1.5)
    assert found["encoder/throughput-over-plain-grpc"] == pytest.approx(3.0)
    assert found["encoder/throughput-of-in-process-batches"] == pytest.approx(0.75)
    assert found["encoder/alone-p50-over-in-process"] == pytest.approx(1.5)
    assert found["encoder/half-p99-over-best-peer"] == pytest.approx(2 / 3, rel=1e-3)
    assert report.table(found).row_count == 4
    assert report.ratio_table(found).row_count == 5


async def test_a_peer_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    broken = System(
        "broken", (), lambda _: ["-c", "raise SystemExit('no such graph')"], clients.Understanding
    )
    with pytest.raises(environments.PeerError, match="no such graph"):
        async with served(broken, environments.ours(), tmp_path, tmp_path):
            pass


def test_packages_that_pip_cannot_install_are_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(environments.PeerError, match="--systems"):
        environments.python(tmp_path, "peer", [str(tmp_path / "absent.whl")])


def test_unknown_system_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--systems", "torchserve"])
    assert ", ".join(system.name for system in SYSTEMS) in capsys.readouterr().err


def test_absent_model_is_told_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--models", str(tmp_path)]) == 1
    assert "make models" in capsys.readouterr().err
