"""The benchmark of the whole search: what it measures of a stack, and the catalogue it keeps for that."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from aisle.catalog.v1.product_pb2 import Product
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest
from bench import whole
from bench.__main__ import main
from bench.retrieval import kept
from bench.retrieval.sets import SETS, Folders, SearchSet, synthetic
from bench.serving import Served
from tests.bench.conftest import FaultyGateway
from tests.retrieval.served import flags, ids_of, metric_of, stub_of
from tests.runtime.processes import running


async def test_both_mixes_are_measured_and_compared(
    gateway: FaultyGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.turn_seconds, gateway.without_suggestions = 0.02, 2
    environments: list[Any] = []
    registry = CollectorRegistry()
    Gauge("aisle_index_rows", "Products in the index.", registry=registry).set(7)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)

    @contextmanager
    def served(*_: Any, environment: Any) -> Iterator[Served]:
        environments.append(environment)
        yield Served({"gateway": gateway.address}, {"retrieval": f"127.0.0.1:{server.server_port}"})

    monkeypatch.setattr(whole, "served", served)
    out = tmp_path / "search.json"
    short = ("--duration", "1", "--warmup", "0.2", "--probe", "0.6", "--out", str(out))
    try:
        assert await asyncio.to_thread(main, ["search", "--state", str(tmp_path), *short]) == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert environments == [{"AISLE_REMEMBERED_QUERIES": "0"}, {}]
    written = json.loads(out.read_text())
    figures = written["figures"]
    assert written["catalogue_products"] == 7
    assert figures["cold/settled_seconds"] > 0.5 > figures["warm/settled_seconds"]
    assert 20 < figures["cold/saturation_qps"] < 60
    assert figures["warm/over_cold"] == pytest.approx(
        figures["warm/saturation_qps"] / figures["cold/saturation_qps"], rel=1e-3
    )
    assert {"cold/half/p99_ms", "cold/half/p50_ms", "cold/overload/goodput_over_peak"} <= figures.keys()
    queries = [request.query for request in gateway.seen]
    assert len(set(queries)) < len(queries)  # warm ones come again


def _tiny(name: str, size: int, queries: int, folders: Folders) -> SearchSet:
    drawn = synthetic(name, size, queries, folders)
    products = [Product(id=f"p{row}", title={"en": f"lamp number {row}"}) for row in range(size)]
    return SearchSet(name, products, drawn.embeddings, ["lamp"], drawn.queries)


async def test_kept_catalogue_is_made_once_and_served_from_its_snapshot(
    models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", "demo10k", "--state", str(tmp_path), "--models", str(models_root)]
    for size in (40, 60):  # the second finds forty in the record, as after a stop
        monkeypatch.setitem(SETS, "demo10k", (_tiny, size))
        assert kept.main(arguments) == 0
        assert f"kept {size} products" in capsys.readouterr().out
    assert kept.main(arguments) == 0
    assert "holds 60 products" in capsys.readouterr().out
    with running(*flags(models_root, tmp_path)) as server:
        async with stub_of(server) as stub:
            answer = await stub.Retrieve(RetrieveRequest(query="lamp number 55"), timeout=10)
        assert metric_of(server, "aisle_index_opened_total") == {("snapshot",): 1}
    assert len(ids_of(answer)) == 60
