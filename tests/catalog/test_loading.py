"""Loading through a small real gateway that keeps products, and fails when told to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.gateway.v1.gateway_pb2 import GetProductResponse, UpsertProductsRequest, UpsertProductsResponse
from catalog.__main__ import main
from runtime.serving.errors import Overloaded, Unavailable
from tests.catalog.failing_gateway import FailingGateway, serving


class Gateway(FailingGateway):
    """Keeps products in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[str, str] = {}

    def UpsertProducts(self, request: UpsertProductsRequest, context: Any) -> UpsertProductsResponse:
        ids = [product.id for product in request.products]
        self.fail_if_told(context, ids, "products[{}].title", "must be better")
        self.products |= {product.id: product.title["en"] for product in request.products}
        return UpsertProductsResponse(upserted=len(request.products))

    def GetProduct(self, request: Any, context: Any) -> GetProductResponse:
        if request.id not in self.products:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        return GetProductResponse()


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, str]]:
    with serving(Gateway()) as served:
        yield served


def _catalogue(tmp_path: Path, count: int = 25) -> Path:
    path = tmp_path / "products.jsonl"
    rows = [{"id": f"P{number}", "title": {"en": f"Lamp {number}"}} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _load(address: str, path: Path, *more: str) -> int:
    return main(["load", str(path), "--gateway", address, "--batch", "10", *more])


def test_everything_arrives_and_bad_rows_are_told(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    path = _catalogue(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "", "title": {"en": "nameless"}}\n')
    rejects = tmp_path / "rejects.jsonl"
    assert _load(address, path, "--rejects", str(rejects)) == 0
    assert len(servicer.products) == 25
    printed = capsys.readouterr()
    assert "25 products loaded, 1 rows skipped" in printed.out
    assert "line 26 skipped: id must be 1 to 128 bytes" in printed.err
    assert json.loads(rejects.read_text())["line"] == 26


def test_passing_refusals_are_waited_out(gateway: tuple[Gateway, str], tmp_path: Path) -> None:
    servicer, address = gateway
    servicer.failures = [Overloaded("full", 0.01), Unavailable("restarting", 0.01)]
    assert _load(address, _catalogue(tmp_path)) == 0
    assert len(servicer.products) == 25


def test_product_the_gateway_refuses_is_skipped_alone(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    servicer.refuse = "P13"
    assert _load(address, _catalogue(tmp_path)) == 0
    assert set(servicer.products) == {f"P{number}" for number in range(25)} - {"P13"}
    assert "line 14 skipped: products[3].title: must be better" in capsys.readouterr().err


def test_interrupted_load_goes_on_after_what_was_acknowledged(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    path, state = _catalogue(tmp_path), tmp_path / "load.json"
    servicer.broken_call = 2
    assert _load(address, path, "--state", str(state)) == 1
    assert "INTERNAL" in capsys.readouterr().err and len(servicer.products) == 10
    assert _load(address, path, "--state", str(state)) == 0
    assert "went on after line 10" in capsys.readouterr().out
    assert len(servicer.products) == 25


def test_repeated_load_sends_nothing_unless_the_gateway_lost_it(
    gateway: tuple[Gateway, str], tmp_path: Path
) -> None:
    servicer, address = gateway
    path, state = _catalogue(tmp_path), tmp_path / "load.json"
    assert _load(address, path, "--state", str(state)) == 0
    calls = servicer.calls
    assert _load(address, path, "--state", str(state)) == 0
    assert servicer.calls == calls
    servicer.products.clear()
    assert _load(address, path, "--state", str(state)) == 0
    assert len(servicer.products) == 25


def test_notes_of_an_older_version_cost_a_repeated_load(gateway: tuple[Gateway, str], tmp_path: Path) -> None:
    servicer, address = gateway
    path, state = _catalogue(tmp_path), tmp_path / "load.json"
    assert _load(address, path, "--state", str(state)) == 0
    notes = json.loads(state.read_text())
    del notes["last"]
    state.write_text(json.dumps(notes | {"product_id": "P24"}))
    calls = servicer.calls
    assert _load(address, path, "--state", str(state)) == 0
    assert servicer.calls == calls + 3


def test_nothing_loaded_is_a_failure(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    assert _load(gateway[1], path) == 1
    assert "0 products loaded" in capsys.readouterr().out


def test_absent_gateway_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.__main__._CONNECT_SECONDS", 0.3)
    assert _load("127.0.0.1:1", _catalogue(tmp_path)) == 1
    assert "no gateway answers at 127.0.0.1:1" in capsys.readouterr().err
