"""Ratios of two gateways, the limit a bound sets, and where the time goes."""

import argparse
import asyncio
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from bench import gate
from bench.__main__ import main
from bench.comparison import ratio, side
from bench.limits import Limit, highest
from tests.bench.conftest import FaultyGateway, served

_SHORT = ("--duration", "0.6", "--warmup", "0.2")


def test_ratio_of_the_same_rounds_is_one_and_of_other_ones_inside_its_interval() -> None:
    rng = np.random.default_rng(3)
    a = np.exp(rng.normal(0, 0.1, 20))
    same = ratio("p50_ms", a.tolist(), a.tolist())
    assert (same.value, same.low, same.high) == (1, 1, 1)
    noisy = ratio("p50_ms", a.tolist(), (1.5 * a * np.exp(rng.normal(0, 0.05, 20))).tolist())
    assert noisy.low < 1.5 < noisy.high
    assert noisy.high / noisy.low < 1.1


async def test_compare_tells_the_slower_of_two_gateways(gateway: FaultyGateway, tmp_path: Path) -> None:
    out = tmp_path / "compare.json"
    async with served() as slow:
        slow.delay_seconds = 0.2
        arguments = ["compare", gateway.address, slow.address, "--rate", "20", "--rounds", "3", *_SHORT]
        assert await asyncio.to_thread(main, [*arguments, "--out", str(out)]) == 0
    figures = json.loads(out.read_text())["figures"]
    assert figures["compare/b_over_a/search_p50_ms_low"] > 2
    assert figures["search/b_1/p50_ms"] >= 200


@pytest.mark.parametrize("wrong", ["shop", "host:", "host:port"])
def test_side_that_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="host:port, @QUERIES or both"):
        side(wrong, "127.0.0.1:1", None)


def test_side_names_a_gateway_queries_or_both() -> None:
    assert side("@q.txt", "h:1", None) == ("h:1", Path("q.txt"))
    assert side("g:2", "h:1", Path("p.txt")) == ("g:2", Path("p.txt"))
    assert side("g:2@q.txt", "h:1", None) == ("g:2", Path("q.txt"))


@pytest.mark.parametrize("first", [1.0, 40.0, 300.0])
async def test_search_ends_at_the_highest_rate_that_keeps_the_bound(first: float) -> None:
    async def keeps(rate: float) -> bool:
        return rate <= 87

    limit = Limit(first, precision=0.05)
    rate, confirmed = await highest(limit, keeps, 2, lambda: True)
    assert confirmed and 87 / 1.06 <= rate <= 87


async def test_rate_that_is_not_kept_again_is_left() -> None:
    asked: list[float] = []

    async def lucky_once(rate: float) -> bool:
        asked.append(rate)
        return rate <= 50 or (rate <= 80 and rate not in asked[:-1])

    rate, confirmed = await highest(Limit(40, 0.05), lucky_once, 2, lambda: True)
    assert confirmed and rate <= 50


async def test_search_ends_when_nothing_keeps_the_bound_or_the_time_is_up() -> None:
    async def never(rate: float) -> bool:
        return False

    assert await highest(Limit(40, 0.05), never, 2, lambda: True) == (0, False)
    assert await highest(Limit(40, 0.05), never, 2, lambda: False) == (0, False)


def test_gate_marks_what_is_beyond_five_percent() -> None:
    def figures(name: str, value: float, low: float, high: float) -> dict[str, float]:
        key = f"compare/b_over_a/{name}"
        return {key: value, f"{key}_low": low, f"{key}_high": high}

    known = figures("cpu_all_ms", 1.1, 1.06, 1.2) | figures("search_p50_ms", 0.9, 0.8, 1.02)
    assert gate.marks(known | figures("search_p99_ms", 1.04, 0.9, 1.2)) == [
        "MARK cpu_all_ms: surely slower, +10.0%",
        "MARK search_p50_ms: perhaps faster, -10.0%",
        "gate: 1 measures more than 5% slower than the other commit",
    ]


def test_gate_names_a_missing_folder(tmp_path: Path) -> None:
    options = argparse.Namespace(ref="HEAD", models=tmp_path / "absent", state=tmp_path)
    with pytest.raises(gate.GateError, match="absent"):
        gate.run(options, lambda: 0)
    options = argparse.Namespace(ref="HEAD", models=tmp_path, state=tmp_path / "absent", catalog=None)
    with pytest.raises(gate.GateError, match="absent"):
        gate.run(options, lambda: 0)


class _Page(HTMLParser):
    """Checks that every element is closed in order, and notes what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_watched_run_leaves_a_page_that_needs_nothing_else(
    gateway: FaultyGateway, tmp_path: Path
) -> None:
    registry = CollectorRegistry()
    handling = Histogram(
        "grpc_server_handling_seconds", "Seconds.", ["grpc_service"], registry=registry
    ).labels("aisle.gateway.v1.GatewayService")
    Counter("process_cpu_seconds", "CPU.", registry=registry).inc(3)
    gateway.handled = lambda: handling.observe(0.0005)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    out = tmp_path / "bench.json"
    arguments = ["--gateway", gateway.address, "--rates", "40", *_SHORT, "--out", str(out)]
    try:
        metrics = ["--metrics", f"gateway=127.0.0.1:{server.server_port}"]
        assert await asyncio.to_thread(main, [*arguments, *metrics]) == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    written = json.loads(out.read_text())
    assert written["figures"]["watch/rate_40/gateway_mean_ms"] == pytest.approx(0.5)
    assert written["figures"]["watch/rate_40/network_mean_ms"] > 0
    text = out.with_suffix(".html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == [] and page.fetched == []
    assert "url(" not in text and "@import" not in text and "<script" not in text
    assert text.count("<svg") == 5 and written["commit"] in text
