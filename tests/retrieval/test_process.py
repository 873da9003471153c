"""Starting, killing and refusing to start the retrieval process, with the published model."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    GetProductsRequest,
    RetrieveRequest,
    SuggestRequest,
    UpsertProductsRequest,
)
from tests.conftest import REPOSITORY
from tests.retrieval.builders import product
from tests.retrieval.served import PRODUCTS, flags, ids_of, metric_of, stub_of
from tests.runtime.processes import running


async def test_concurrent_writes_of_one_product_leave_index_and_record_alike(
    models_root: Path, tmp_path: Path
) -> None:
    titles = [f"title number {number}" for number in range(12)]
    with running(*flags(models_root, tmp_path)) as server:
        async with stub_of(server) as stub:
            writes = [UpsertProductsRequest(products=[product("same", title)]) for title in titles]
            await asyncio.gather(*(stub.UpsertProducts(write, timeout=30) for write in writes))
            (served,) = (await stub.GetProducts(GetProductsRequest(ids=["same"]))).products
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with running(*flags(models_root, tmp_path)) as server:
        async with stub_of(server) as stub:
            (kept,) = (await stub.GetProducts(GetProductsRequest(ids=["same"]))).products
    assert kept == served
    assert kept.title["en"] in titles


async def test_kill_right_after_acknowledged_writes_loses_none_of_them(
    models_root: Path, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    with running(*flags(models_root, tmp_path)) as server:
        async with stub_of(server) as stub:
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
    with running(*flags(models_root, tmp_path, "--dense-budget-seconds", "5")) as server:
        async with stub_of(server) as stub:
            answer = await stub.Retrieve(RetrieveRequest(query="last"))
            assert sorted(ids_of(answer)) == sorted(acknowledged)
            assert ids_of(answer)[0] == "last"


async def test_late_encoder_is_answered_by_words_and_told(models_root: Path, tmp_path: Path) -> None:
    with running(*flags(models_root, tmp_path, "--dense-budget-seconds", "0.000001")) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS), timeout=30)
            answer = await stub.Retrieve(RetrieveRequest(query="黑色 drill"))
        assert set(ids_of(answer)) == {"black-shirt", "white-shirt", "drill"}
        assert [channel.channel for channel in answer.candidates.channels] == ["lexical"]
        (degraded,) = answer.degraded
        assert degraded.stage == Stage.STAGE_DENSE
        assert "encoder" in degraded.reason
        assert not answer.models
        assert metric_of(server, "aisle_degraded_total") == {("dense", "late"): 1}


def _refused_start(*arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", *arguments],
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
    with running(*flags(models_root, state)):
        pass
    models = tmp_path / "models"
    shutil.copytree(models_root / "retriever", models / "retriever")
    version = (models / "retriever" / "current").read_text(encoding="utf-8").strip()
    manifest = models / "retriever" / version / "manifest.json"
    renamed = json.loads(manifest.read_text(encoding="utf-8")) | {"embedding_space": "another/1"}
    manifest.write_text(json.dumps(renamed), encoding="utf-8")
    assert "--reembed true" in _refused_start(*flags(models, state))
    with running(*flags(models, state, "--reembed", "true")):
        pass
    with running(*flags(models, state)):
        pass


def test_a_second_process_on_the_same_record_is_refused(models_root: Path, tmp_path: Path) -> None:
    with running(*flags(models_root, tmp_path)):
        assert "in use by another process" in _refused_start(*flags(models_root, tmp_path))


def test_a_damaged_record_stops_the_process_with_its_remedy(models_root: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("not a folder", encoding="utf-8")
    assert "load the catalogue again" in _refused_start(*flags(models_root, tmp_path))


def test_sigterm_ends_the_process_cleanly(models_root: Path, tmp_path: Path) -> None:
    with running(*flags(models_root, tmp_path)) as server:
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(15) == 0


async def test_words_are_read_from_files_at_start(models_root: Path, tmp_path: Path) -> None:
    synonyms, queries = tmp_path / "synonyms.txt", tmp_path / "queries.tsv"
    synonyms.write_text("kettle => boots\n", encoding="utf-8")
    queries.write_text("hiking boots winter\t50\n", encoding="utf-8")
    files = ("--synonyms", str(synonyms), "--queries", str(queries))
    with running(*flags(models_root, tmp_path / "state", *files)) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS), timeout=30)
            answer = await stub.Retrieve(RetrieveRequest(query="kettle"))
            ranks = dict(zip(ids_of(answer), answer.candidates.channels[0].ranks, strict=True))
            assert ranks["kettle"] and ranks["boots"] and not ranks["drill"]
            suggested = (await stub.Suggest(SuggestRequest(prefix="hik"))).suggestions
            assert suggested[0].text == "hiking boots winter"


def test_a_broken_file_of_synonyms_stops_the_process_with_its_line(models_root: Path, tmp_path: Path) -> None:
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("sofa, couch\nalone\n", encoding="utf-8")
    told = _refused_start(*flags(models_root, tmp_path / "state", "--synonyms", str(synonyms)))
    assert "line 2" in told and "write `a, b`" in told
