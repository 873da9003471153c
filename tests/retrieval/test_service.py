"""The retrieval process, seen from outside, with the published model."""

import asyncio
import math
import time
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    ForUser,
    GetIndexInfoRequest,
    GetProductsRequest,
    RetrieveRequest,
    SuggestRequest,
    UpsertProductsRequest,
)
from services.retrieval.text import passage
from tests.retrieval.builders import product
from tests.retrieval.served import PRODUCTS, ids_of, metric_of, stub_of
from tests.rpc_errors import error_of, fields_of
from tests.runtime.processes import Running

NAN_PRICE = product("a", price=math.nan)


@pytest.mark.parametrize("query", ["T恤 黑色 夏季", "black summer t-shirt", "🎉 黑色 tshirt"])
async def test_both_languages_find_the_same_product(stub: Any, query: str) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query=query))
    assert ids_of(answer)[0] == "black-shirt"
    assert len(ids_of(answer)) == answer.total.value == len(PRODUCTS)
    assert not answer.degraded
    assert [model.name for model in answer.models] == ["retriever"]
    assert [channel.channel for channel in answer.candidates.channels] == ["lexical", "dense"]
    assert answer.lexical_weight > 0
    assert {stage.stage for stage in answer.stages} == {
        "retrieval/encode",
        "retrieval/lexical",
        "retrieval/dense",
        "retrieval/fuse",
    }


async def test_meaning_finds_what_shares_no_word(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="something to boil water for tea", limit=2))
    assert "kettle" in ids_of(answer)


async def test_misspelt_query_is_read_as_meant_and_told(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="cordles drill"))
    assert (answer.did_you_mean.query, answer.did_you_mean.applied) == ("cordless drill", True)
    right = await stub.Retrieve(RetrieveRequest(query="cordless drill"))
    assert not right.HasField("did_you_mean")
    assert answer.candidates == right.candidates
    exact = await stub.Retrieve(RetrieveRequest(query="cordles", exact_spelling=True))
    assert not exact.HasField("did_you_mean")
    assert not any(exact.candidates.channels[0].ranks)


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("cordl", "Cordless drill with two batteries"),
        ("crodless", "Cordless drill with two batteries"),
        ("电热", "电热玻璃水壶 1.7升"),
        ("dianre", "电热玻璃水壶 1.7升"),
    ],
)
async def test_what_is_begun_goes_on(stub: Any, prefix: str, text: str) -> None:
    answer = await stub.Suggest(SuggestRequest(prefix=prefix))
    assert text in [each.text for each in answer.suggestions]


async def test_suggestions_follow_the_catalogue(stub: Any) -> None:
    asked = SuggestRequest(prefix="umbrel")
    assert not (await stub.Suggest(asked)).suggestions
    await stub.UpsertProducts(UpsertProductsRequest(products=[product("umbrella", "Folding umbrella")]))
    assert [each.text for each in (await stub.Suggest(asked)).suggestions] == ["Folding umbrella"]
    await stub.DeleteProducts(DeleteProductsRequest(ids=["umbrella"]))
    assert not (await stub.Suggest(asked)).suggestions


async def test_history_comes_back_and_colours_the_candidates(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="shoes", history_ids=["boots", "unknown"]))
    assert list(answer.history.ids) == ["boots"]
    affinity = dict(zip(ids_of(answer), answer.candidates.history_affinities, strict=True))
    assert max(affinity, key=lambda product_id: affinity[product_id]) == "boots"
    assert affinity["boots"] == pytest.approx(1, abs=1e-3)


async def test_similar_products_leave_out_the_product_and_an_unknown_one_is_not_found(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(similar_to="black-shirt"))
    assert ids_of(answer)[0] == "white-shirt"
    assert "black-shirt" not in ids_of(answer)
    error = await error_of(stub.Retrieve(RetrieveRequest(similar_to="gone")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_user_without_history_gets_what_is_popular(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), limit=2))
    assert ids_of(answer) == ["white-shirt", "boots"]
    with_history = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), history_ids=["white-shirt"]))
    assert "white-shirt" not in ids_of(with_history)


async def test_written_product_is_read_and_found_and_a_deleted_one_is_neither(stub: Any) -> None:
    new = product("umbrella", "Folding umbrella", zh="折叠雨伞")
    assert (await stub.UpsertProducts(UpsertProductsRequest(products=[new]))).upserted == 1
    assert ids_of(await stub.Retrieve(RetrieveRequest(query="雨伞")))[0] == "umbrella"
    read = await stub.GetProducts(GetProductsRequest(ids=["umbrella", "gone", "drill"]))
    assert list(read.products) == [new, PRODUCTS[3]]
    deleted = await stub.DeleteProducts(DeleteProductsRequest(ids=["umbrella", "gone"]))
    assert deleted.deleted == 1
    assert "umbrella" not in ids_of(await stub.Retrieve(RetrieveRequest(query="雨伞")))
    assert not (await stub.GetProducts(GetProductsRequest(ids=["umbrella"]))).products


async def test_passages_are_what_is_embedded_and_come_only_when_asked_for(stub: Any) -> None:
    ids = ["drill", "gone", "boots"]
    read = await stub.GetProducts(GetProductsRequest(ids=ids, with_passages=True))
    assert list(read.passages) == [passage(each) for each in read.products]
    assert "drill" in read.passages[0]
    assert not (await stub.GetProducts(GetProductsRequest(ids=ids))).passages


async def test_price_change_is_not_encoded_again_and_a_new_title_is(stub: Any, server: Running) -> None:
    changed = product("drill", "Cordless drill with two batteries", zh="充电电钻 双电池", price=399)
    before = metric_of(server, "aisle_model_seconds_count")
    await stub.UpsertProducts(UpsertProductsRequest(products=[changed]))
    assert metric_of(server, "aisle_model_seconds_count") == before
    assert (await stub.GetProducts(GetProductsRequest(ids=["drill"]))).products[0].price.amount == 399
    changed.title["en"] = "Corded drill"
    await stub.UpsertProducts(UpsertProductsRequest(products=[changed]))
    assert metric_of(server, "aisle_model_seconds_count") != before


async def test_index_info_and_metrics_tell_what_is_held(stub: Any, server: Running) -> None:
    info = await stub.GetIndexInfo(GetIndexInfoRequest())
    assert (info.products, info.dimension) == (len(PRODUCTS), 384)
    assert info.embedding_space
    assert metric_of(server, "aisle_index_rows") == {(): len(PRODUCTS)}
    await stub.Retrieve(RetrieveRequest(query="drill"))
    counted = metric_of(server, "aisle_stage_seconds_count")
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
        ("Suggest", SuggestRequest(), "prefix"),
        ("Suggest", SuggestRequest(prefix=" \u200b"), "prefix"),
        ("Suggest", SuggestRequest(prefix="x" * 1_000_000), "prefix"),
        ("Suggest", SuggestRequest(prefix="a\n"), "prefix"),
        ("Suggest", SuggestRequest(prefix="a", limit=-1), "limit"),
        ("Suggest", SuggestRequest(prefix="a", limit=21), "limit"),
        ("Suggest", SuggestRequest(prefix="a", language="de"), "language"),
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
    error = await error_of(getattr(stub, method)(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == [field]
    assert (await stub.GetIndexInfo(GetIndexInfoRequest())).products == len(PRODUCTS)


async def test_searches_stay_quick_beside_a_slow_write(server: Running) -> None:
    async with stub_of(server) as stub:
        await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
        many = [product(f"bulk-{number}", "a long title " * 20) for number in range(200)]
        write = asyncio.ensure_future(stub.UpsertProducts(UpsertProductsRequest(products=many), timeout=120))
        during = []
        while not write.done():
            start = time.perf_counter()
            answer = await stub.Retrieve(RetrieveRequest(query="black shirt"))
            during.append(time.perf_counter() - start)
            assert "black-shirt" in ids_of(answer)[:3]
        await write
        assert len(during) > 5  # searches did not wait for the write
        await stub.DeleteProducts(DeleteProductsRequest(ids=[each.id for each in many]))


async def test_repeated_search_is_remembered_until_the_catalogue_changes(stub: Any) -> None:
    request = RetrieveRequest(query="glass kettle", facets=["brand"])
    first, again = await stub.Retrieve(request), await stub.Retrieve(request)
    assert first.stages and not again.stages
    del first.stages[:]
    assert again == first
    narrowed = await stub.Retrieve(RetrieveRequest(query="glass kettle", filter="price < 1"))
    assert narrowed.candidates != first.candidates
    await stub.UpsertProducts(UpsertProductsRequest(products=[product("other", "Glass kettle, small")]))
    try:
        changed = await stub.Retrieve(request)
        assert changed.stages and "other" in ids_of(changed)
    finally:
        await stub.DeleteProducts(DeleteProductsRequest(ids=["other"]))
    assert ids_of(await stub.Retrieve(request)) == ids_of(first)
