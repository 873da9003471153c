"""`python -m bench`: what it prints, what it leaves, and how it refuses."""

import asyncio
import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from bench import connection
from bench.__main__ import main
from tests.bench.conftest import FaultyGateway

_SHORT = ("--duration", "1", "--warmup", "0.2")


async def test_command_prints_a_table_and_writes_the_same_figures(
    gateway: FaultyGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    arguments = ["--gateway", gateway.address, "--rates", "20,40", *_SHORT, "--out", str(out)]
    assert await asyncio.to_thread(main, arguments) == 0
    written = json.loads(out.read_text())
    for rate in ("rate_20", "rate_40"):
        for measure in ("p50_ms", "p99.9_ms", "achieved_qps", "error_share", "send_lag_p99_ms"):
            assert f"search/{rate}/{measure}" in written["figures"]
    assert written["models"] == {"ranker": "1"}
    assert written["settings"]["rates"] == [20, 40]
    assert {"commit", "machine", "catalogue_products", "queries"} <= written.keys()
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "p99.9 ms" in printed and "repeated (warm)" in printed and "of unknown size" in printed


async def test_rates_are_found_when_none_are_given(
    gateway: FaultyGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.session.SATURATION_SECONDS", 1.0)
    gateway.turn_seconds = 0.02
    out = tmp_path / "bench.json"
    arguments = ["--gateway", gateway.address, "--auto", *_SHORT, "--out", str(out)]
    assert await asyncio.to_thread(main, arguments) == 0
    figures = json.loads(out.read_text())["figures"]
    peak = figures["search/saturation/qps"]
    asked = [figures[f"search/peak_{share}/asked_qps"] for share in (25, 50, 80)]
    assert asked == pytest.approx([0.25 * peak, 0.5 * peak, 0.8 * peak], rel=1e-3)


async def test_catalogue_size_is_read_from_retrievals_metrics(
    gateway: FaultyGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = CollectorRegistry()
    Gauge("aisle_index_rows", "Products in the index.", registry=registry).set(6764)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    arguments = ["--gateway", gateway.address, "--rates", "20", *_SHORT, "--out", str(tmp_path / "b.json")]
    metrics = f"127.0.0.1:{server.server_port}"
    try:
        assert await asyncio.to_thread(main, [*arguments, "--retrieval-metrics", metrics]) == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert json.loads((tmp_path / "b.json").read_text())["catalogue_products"] == 6764
    assert "catalogue of 6,764 products" in capsys.readouterr().out
    assert await asyncio.to_thread(main, [*arguments, "--retrieval-metrics", metrics]) == 1
    assert "--retrieval-metrics" in capsys.readouterr().err


def test_unreachable_gateway_is_a_clear_exit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 0.3)
    assert main(["--gateway", "127.0.0.1:1", "--rates", "5"]) == 1
    assert "make serve" in capsys.readouterr().err


async def test_run_of_too_many_requests_is_refused_before_the_first(
    gateway: FaultyGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["--gateway", gateway.address, "--rates", "5,20000"]) == 1
    assert "more than 100,000 requests" in capsys.readouterr().err
    assert gateway.seen == []


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rates", "0"],
        ["--rates", "nan"],
        ["--rates", "5", "--auto"],
        ["--duration", "601"],
        ["--connections", "0"],
        ["--users", "-1"],
        ["--deadline-ms", "inf"],
    ],
)
def test_bad_option_is_a_sentence_and_status_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(wrong)
    assert wrong[-1].lstrip("-") in capsys.readouterr().err
