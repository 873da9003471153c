"""The retrieval process where Milvus searches: on Milvus Lite with words, on a server of 2.3 by meaning."""

from pathlib import Path
from typing import Any

import grpc

from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    ForUser,
    GetIndexInfoRequest,
    GetProductsRequest,
    RetrieveRequest,
    SuggestRequest,
    UpsertProductsRequest,
)
from services.retrieval.milvus_client import ServerEngine
from tests.retrieval.milvus_server import MilvusProcess
from tests.retrieval.served import PRODUCTS, flags, ids_of, stub_of
from tests.rpc_errors import error_of, fields_of
from tests.runtime.processes import running

_PATIENT = ("--default-deadline-seconds", "60", "--dense-budget-seconds", "20")


async def test_milvus_answers_with_words_filters_and_refusals(models_root: Path, tmp_path: Path) -> None:
    options = flags(models_root, tmp_path, "--search", "milvus", *_PATIENT)
    with running(*options) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
            await _searched(stub)
            error = await error_of(stub.Suggest(SuggestRequest(prefix="ket")))
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "--search in-process" in (error.details() or "")
            error = await error_of(stub.Retrieve(RetrieveRequest(query="kettle", filter="sise = 3")))
            assert fields_of(error) == ["filter"]
            deletion = DeleteProductsRequest(ids=["kettle", "kettle", "nowhere"])
            assert (await stub.DeleteProducts(deletion)).deleted == 1
            assert "kettle" not in ids_of(await stub.Retrieve(RetrieveRequest(query="electric glass kettle")))
            assert (await stub.GetIndexInfo(GetIndexInfoRequest())).products == len(PRODUCTS) - 1


async def test_a_server_without_sparse_vectors_searches_by_meaning(
    models_root: Path, tmp_path: Path, milvus: MilvusProcess
) -> None:
    options = flags(models_root, tmp_path, "--milvus-uri", milvus.uri, "--search", "milvus", *_PATIENT)
    with running(*options) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
            answer = await stub.Retrieve(
                RetrieveRequest(query="electric kettle", filter="rating < 4.9 OR NOT rating:*")
            )
            assert ids_of(answer)[0] == "kettle"
    client = ServerEngine(milvus.uri).open()
    client.drop_alias("catalog")
    for name in client.list_collections():
        client.drop_collection(name)
    client.close()


async def _searched(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="电热 玻璃水壶 kettle", facets=["availability"]))
    assert ids_of(answer)[0] == "kettle"
    assert not answer.degraded
    assert answer.total.lower <= len(PRODUCTS) <= answer.total.upper
    assert {each.channel for each in answer.candidates.channels} == {"lexical", "dense"}
    cheap = await stub.Retrieve(RetrieveRequest(query="shirt", filter="price < 100"))
    assert ids_of(cheap) == ["black-shirt"]
    popular = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), limit=2))
    assert set(ids_of(popular)) == {"boots", "white-shirt"}
    held = await stub.GetProducts(GetProductsRequest(ids=["drill", "nowhere"]))
    assert list(held.products) == [each for each in PRODUCTS if each.id == "drill"]
