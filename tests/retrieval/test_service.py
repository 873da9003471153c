"""The retrieval process, seen from outside, with the published model."""

import asyncio
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import Stage
from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    ForUser,
    GetIndexInfoRequest,
    GetProductsRequest,
    RetrieveRequest,
    RetrieveResponse,
    UpsertProductsRequest,
)
from aisle.retrieval.v1.retrieval_pb2_grpc import RetrievalServiceStub
from runtime.serving.channel import open_channel
from tests.conftest import REPOSITORY
from tests.retrieval.builders import product
from tests.runtime.processes import Running, running

PRODUCTS = [
    product("black-shirt", "Men's black cotton t-shirt for summer", zh="男士黑色纯棉短袖T恤 夏季", price=59),
    product("white-shirt", "Women's white linen shirt", zh="女士白色衬衫", rating=4.5, review_count=800),
    product("boots", "Waterproof winter hiking boots", zh="冬季防水登山靴", rating=4.8, review_count=90),
    product("drill", "Cordless drill with two batteries", zh="充电电钻 双电池"),
    product("kettle", "Electric glass kettle 1.7 l", zh="电热玻璃水壶 1.7升"),
]
NAN_PRICE = product("a", price=math.nan)


def _flags(models: Path, state: Path, *more: str) -> tuple[str, ...]:
    flags = ("--models", str(models), "--state", str(state), "--port", "0", "--metrics-port", "0")
    return ("services.retrieval", *flags, "--drain-seconds", "0", *more)


@asynccontextmanager
async def _stub(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield RetrievalServiceStub(channel)


@pytest.fixture(scope="module")
def server(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    # The budget is generous: a busy machine must not turn these tests into tests of degradation.
    flags = _flags(models_root, tmp_path_factory.mktemp("state"), "--dense-budget-seconds", "5")
    with running(*flags, "--default-deadline-seconds", "30") as process:
        yield process


@pytest.fixture
async def stub(server: Running) -> AsyncIterator[Any]:
    """A client of a service that holds PRODUCTS."""
    async with _stub(server) as stub:
        await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
        yield stub


def _ids(answer: RetrieveResponse) -> list[str]:
    return list(answer.candidates.products.ids)


async def _error(awaitable: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value


def _metric(server: Running, name: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as page:
        text = page.read().decode()
    return {
        tuple(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.parametrize("query", ["T恤 黑色 夏季", "black summer t-shirt", "🎉 黑色 tshirt"])
async def test_both_languages_find_the_same_product(stub: Any, query: str) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query=query))
    assert _ids(answer)[0] == "black-shirt"
    assert len(_ids(answer)) == answer.matched == len(PRODUCTS)
    assert not answer.degraded
    assert [model.name for model in answer.models] == ["retriever"]
    assert [channel.channel for channel in answer.candidates.channels] == ["lexical", "dense"]
    assert {stage.stage for stage in answer.stages} == {
        "retrieval/encode",
        "retrieval/lexical",
        "retrieval/dense",
        "retrieval/fuse",
    }


async def test_meaning_finds_what_shares_no_word(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="something to boil water for tea", limit=2))
    assert "kettle" in _ids(answer)


async def test_history_comes_back_and_colours_the_candidates(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="shoes", history_ids=["boots", "unknown"]))
    assert list(answer.history.ids) == ["boots"]
    affinity = dict(zip(_ids(answer), answer.candidates.history_affinities, strict=True))
    assert max(affinity, key=lambda product_id: affinity[product_id]) == "boots"
    assert affinity["boots"] == pytest.approx(1, abs=1e-3)


async def test_similar_products_leave_out_the_product_and_an_unknown_one_is_not_found(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(similar_to="black-shirt"))
    assert _ids(answer)[0] == "white-shirt"
    assert "black-shirt" not in _ids(answer)
    error = await _error(stub.Retrieve(RetrieveRequest(similar_to="gone")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_user_without_history_gets_what_is_popular(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), limit=2))
    assert _ids(answer) == ["white-shirt", "boots"]
    with_history = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), history_ids=["white-shirt"]))
    assert "white-shirt" not in _ids(with_history)


async def test_written_product_is_read_and_found_and_a_deleted_one_is_neither(stub: Any) -> None:
    new = product("umbrella", "Folding umbrella", zh="折叠雨伞")
    assert (await stub.UpsertProducts(UpsertProductsRequest(products=[new]))).upserted == 1
    assert _ids(await stub.Retrieve(RetrieveRequest(query="雨伞")))[0] == "umbrella"
    read = await stub.GetProducts(GetProductsRequest(ids=["umbrella", "gone", "drill"]))
    assert list(read.products) == [new, PRODUCTS[3]]
    deleted = await stub.DeleteProducts(DeleteProductsRequest(ids=["umbrella", "gone"]))
    assert deleted.deleted == 1
    assert "umbrella" not in _ids(await stub.Retrieve(RetrieveRequest(query="雨伞")))
    assert not (await stub.GetProducts(GetProductsRequest(ids=["umbrella"]))).products


async def test_index_info_and_metrics_tell_what_is_held(stub: Any, server: Running) -> None:
    info = await stub.GetIndexInfo(GetIndexInfoRequest())
    assert (info.products, info.dimension) == (len(PRODUCTS), 384)
    assert info.embedding_space
    assert _metric(server, "aisle_index_rows") == {(): len(PRODUCTS)}
    await stub.Retrieve(RetrieveRequest(query="drill"))
    counted = _metric(server, "aisle_stage_seconds_count")
    assert {"retrieval/encode", "retrieval/lexical", "retrieval/dense", "retrieval/fuse"} <= {
        stage for (stage,) in counted
    }


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("Retrieve", RetrieveRequest(query="   "), "query"),
        ("Retrieve", RetrieveRequest(query="x" * 1_000_000), "query"),
        ("Retrieve", RetrieveRequest(query="a\0"), "query"),
        ("Retrieve", RetrieveRequest(query="x", limit=10**9), "limit"),
        ("GetProducts", GetProductsRequest(), "ids"),
        ("DeleteProducts", DeleteProductsRequest(ids=[""]), "ids[0]"),
        ("UpsertProducts", UpsertProductsRequest(), "products"),
        ("UpsertProducts", UpsertProductsRequest(products=[Product(title={"en": "x"})]), "products[0].id"),
        ("UpsertProducts", UpsertProductsRequest(products=[product("a"), product("a")]), "products[1].id"),
        (
            "UpsertProducts",
            UpsertProductsRequest(products=[NAN_PRICE]),
            "products[0].price.amount",
        ),
    ],
)
async def test_bad_input_is_an_error_naming_its_field(
    stub: Any, method: str, request_: Any, field: str
) -> None:
    error = await _error(getattr(stub, method)(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(cast(Any, error))
    assert status is not None
    details = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(details)
    assert [violation.field for violation in details.field_violations] == [field]
    assert (await stub.GetIndexInfo(GetIndexInfoRequest())).products == len(PRODUCTS)


async def test_concurrent_writes_of_one_product_leave_index_and_record_alike(
    models_root: Path, tmp_path: Path
) -> None:
    titles = [f"title number {number}" for number in range(12)]
    with running(*_flags(models_root, tmp_path)) as server:
        async with _stub(server) as stub:
            writes = [UpsertProductsRequest(products=[product("same", title)]) for title in titles]
            await asyncio.gather(*(stub.UpsertProducts(write, timeout=30) for write in writes))
            (served,) = (await stub.GetProducts(GetProductsRequest(ids=["same"]))).products
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with running(*_flags(models_root, tmp_path)) as server:
        async with _stub(server) as stub:
            (kept,) = (await stub.GetProducts(GetProductsRequest(ids=["same"]))).products
    assert kept == served
    assert kept.title["en"] in titles


async def test_kill_right_after_acknowledged_writes_loses_none_of_them(
    models_root: Path, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    with running(*_flags(models_root, tmp_path)) as server:
        async with _stub(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS), timeout=30)
            acknowledged += [each.id for each in PRODUCTS]
            await stub.DeleteProducts(DeleteProductsRequest(ids=["kettle"]))
            acknowledged.remove("kettle")
            await stub.UpsertProducts(
                UpsertProductsRequest(products=[product("last", "last one")]), timeout=30
            )
            server.process.send_signal(signal.SIGKILL)
            acknowledged.append("last")
        server.process.wait(10)
    with running(*_flags(models_root, tmp_path, "--dense-budget-seconds", "5")) as server:
        async with _stub(server) as stub:
            answer = await stub.Retrieve(RetrieveRequest(query="last"))
            assert sorted(_ids(answer)) == sorted(acknowledged)
            assert _ids(answer)[0] == "last"


async def test_late_encoder_is_answered_by_words_and_told(models_root: Path, tmp_path: Path) -> None:
    with running(*_flags(models_root, tmp_path, "--dense-budget-seconds", "0.000001")) as server:
        async with _stub(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS), timeout=30)
            answer = await stub.Retrieve(RetrieveRequest(query="黑色 drill"))
        assert set(_ids(answer)) == {"black-shirt", "white-shirt", "drill"}
        assert [channel.channel for channel in answer.candidates.channels] == ["lexical"]
        (degraded,) = answer.degraded
        assert degraded.stage == Stage.STAGE_DENSE
        assert "encoder" in degraded.reason
        assert not answer.models
        assert _metric(server, "aisle_degraded_total") == {("dense", "late"): 1}


async def test_searches_stay_quick_beside_a_slow_write(server: Running) -> None:
    async with _stub(server) as stub:
        await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
        many = [product(f"bulk-{number}", "a long title " * 20) for number in range(200)]
        write = asyncio.ensure_future(stub.UpsertProducts(UpsertProductsRequest(products=many), timeout=120))
        during = []
        while not write.done():
            start = time.perf_counter()
            answer = await stub.Retrieve(RetrieveRequest(query="black shirt"))
            during.append(time.perf_counter() - start)
            assert "black-shirt" in _ids(answer)[:3]
        await write
        assert len(during) > 5  # searches did not wait for the write
        await stub.DeleteProducts(DeleteProductsRequest(ids=[each.id for each in many]))


def _refused_start(*flags: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", *flags],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    return process.stderr.splitlines()[-1]


def test_record_of_another_embedding_space_stops_the_process(models_root: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(*_flags(models_root, state)):
        pass
    models = tmp_path / "models"
    shutil.copytree(models_root / "retriever", models / "retriever")
    version = (models / "retriever" / "current").read_text(encoding="utf-8").strip()
    manifest = models / "retriever" / version / "manifest.json"
    renamed = json.loads(manifest.read_text(encoding="utf-8")) | {"embedding_space": "another/1"}
    manifest.write_text(json.dumps(renamed), encoding="utf-8")
    assert "--reembed true" in _refused_start(*_flags(models, state))
    with running(*_flags(models, state, "--reembed", "true")):
        pass
    with running(*_flags(models, state)):
        pass


def test_a_second_process_on_the_same_record_is_refused(models_root: Path, tmp_path: Path) -> None:
    with running(*_flags(models_root, tmp_path)):
        assert "in use by another process" in _refused_start(*_flags(models_root, tmp_path))


def test_a_damaged_record_stops_the_process_with_its_remedy(models_root: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("not a folder", encoding="utf-8")
    assert "load the catalogue again" in _refused_start(*_flags(models_root, tmp_path))


def test_sigterm_ends_the_process_cleanly(models_root: Path, tmp_path: Path) -> None:
    with running(*_flags(models_root, tmp_path)) as server:
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(15) == 0
