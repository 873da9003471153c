"""Rules of a running ranking process: read at start, and again when the file changes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from aisle.ranking.v1.ranking_pb2_grpc import RankingServiceStub
from runtime.serving.channel import open_channel
from runtime.settings import StartupError
from services.ranking.rules.live import LiveRules
from tests.ranking.builders import rich_request
from tests.runtime.processes import Running, running

PIN = "rules: [{{id: first, pin: {{products: [{}]}}}}]"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rules") / "rules.yaml"
    file.write_text(PIN.format("p7"))
    return file


@pytest.fixture(scope="module")
def server(models_root: Path, rules: Path) -> Iterator[Running]:
    flags = ("--models", str(models_root), "--port", "0", "--metrics-port", "0", "--rules", str(rules))
    with running("services.ranking", *flags, "--rules-seconds", "60") as process:
        yield process


@pytest.fixture
async def stub(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield RankingServiceStub(channel)


async def first(stub: Any) -> str:
    answer = await stub.Rank(rich_request(10))
    return f"p{answer.order[0]}"


def told(server: Running, event: str) -> dict[str, Any]:
    """Tell the process to read its rules and return the line it logs about it."""
    server.process.send_signal(signal.SIGHUP)
    assert server.process.stderr is not None
    for line in server.process.stderr:
        if event in line:
            return dict(json.loads(line))
    raise AssertionError("the process ended")


def write(rules: Path, text: str) -> None:
    """Replace the file in one step, as an editor and a ConfigMap do."""
    fresh = rules.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(rules)


async def test_new_rules_are_in_force_once_told_and_bad_ones_never(
    stub: Any, server: Running, rules: Path
) -> None:
    assert await first(stub) == "p7"
    write(rules, PIN.format("p4"))
    loaded = await asyncio.to_thread(told, server, "rules_loaded")
    assert loaded["rules"] == 1
    assert await first(stub) == "p4"
    write(rules, PIN.format("p5") + "\nnonsense: 1\n")
    refused = await asyncio.to_thread(told, server, "rules_refused")
    assert refused["kept"] == 1
    assert refused["problems"] == [f"{rules}: line 2: nonsense: Extra inputs are not permitted, got 1"]
    assert await first(stub) == "p4"


def test_bad_rules_at_the_start_are_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    with pytest.raises(StartupError, match="mend the file, or start without --rules"):
        LiveRules(file)
    file.write_text("rules:\n- id: a\n  pin: {products: []}\n")
    with pytest.raises(StartupError, match=r"line 3: rules\[0\].pin.products: "):
        LiveRules(file)


async def test_changed_file_is_seen_by_itself_and_a_file_that_went_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    write(file, PIN.format("p1"))
    rules = LiveRules(file)

    async with rules.following(0.01):
        refused = _reloads("refused")
        file.unlink()
        await _until(lambda: _reloads("refused") > refused)
        assert len(rules.book) == 1
        write(file, "rules: []")
        await _until(lambda: len(rules.book) == 0)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def _reloads(outcome: str) -> float:
    return REGISTRY.get_sample_value("aisle_ranking_rules_reloads_total", {"outcome": outcome}) or 0.0
