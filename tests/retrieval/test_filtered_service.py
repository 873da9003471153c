"""Filters, facets, variants and reasons over gRPC, with the published model."""

from typing import Any

import grpc
import pytest

from aisle.catalog.v1.matches_pb2 import Count, EmptyReason
from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest
from tests.retrieval.builders import product
from tests.retrieval.served import ids_of
from tests.rpc_errors import error_of, fields_of

PRODUCTS = [
    product("tee-black", "black cotton t-shirt", color="黑色", price=59, brand="Nike 👕", group="tee"),
    product("tee-white", "white cotton t-shirt", color="white", price=69, brand="Nike 👕", group="tee"),
    product("boots", "winter boots", color="black", price=399, brand="Bora", category=["shoes", "boots"]),
    product("kettle", "glass kettle", brand="Bora", available=False),
]


def _exactly(value: int) -> Count:
    return Count(value=value, lower=value, upper=value, exact=True)


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ("price < 100", {"tee-black", "tee-white"}),
        ('brand = "nike 👕" AND attributes.color = 黑色', {"tee-black"}),
        ("category:shoes OR availability = out_of_stock", {"boots", "kettle"}),
        ("NOT price:*", {"kettle"}),
    ],
)
async def test_only_what_the_filter_lets_through_comes_back(stub: Any, filter_: str, ids: set[str]) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="cotton t-shirt", filter=filter_))
    assert set(ids_of(answer)) == ids
    assert answer.total == _exactly(len(ids))
    assert not answer.HasField("emptiness")


async def test_the_best_is_let_through_though_only_one_is_wanted(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="cotton t-shirt", filter="brand = Bora", limit=1))
    assert len(ids_of(answer)) == 1
    assert answer.total == _exactly(2)


async def test_similar_and_recommended_products_keep_the_filter(stub: Any) -> None:
    similar = await stub.Retrieve(RetrieveRequest(similar_to="tee-black", filter="brand = bora"))
    assert set(ids_of(similar)) == {"boots", "kettle"}
    recommended = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), filter="price > 100"))
    assert ids_of(recommended) == ["boots"]


async def test_facets_come_in_the_order_asked(stub: Any) -> None:
    answer = await stub.Retrieve(
        RetrieveRequest(query="shirt", filter="brand = bora", facets=["price", "brand", "attributes.color"])
    )
    prices, brands, colors = answer.facets
    assert (prices.least, prices.greatest) == (399, 399)
    assert {each.value: each.count.value for each in brands.values} == {"Bora": 2, "Nike 👕": 2}
    assert [each.value for each in colors.values] == ["black"]


async def test_variants_are_collapsed_when_asked(stub: Any) -> None:
    request = RetrieveRequest(query="cotton t-shirt", collapse_variants=True)
    answer = await stub.Retrieve(request)
    assert answer.total == _exactly(3)
    assert sorted(answer.candidates.variants) == [1, 1, 2]


async def test_reason_names_the_condition_that_excludes_everything(stub: Any) -> None:
    answer = await stub.Retrieve(RetrieveRequest(query="shirt", filter="price < 1 AND brand = bora"))
    assert not ids_of(answer)
    assert answer.total == _exactly(0)
    assert answer.emptiness.reason == EmptyReason.EMPTY_REASON_FILTERED
    assert answer.emptiness.condition == "price < 1"
    assert answer.emptiness.without_filter == _exactly(4)
    assert answer.emptiness.without_condition == _exactly(2)


@pytest.mark.parametrize(
    ("request_", "field", "words"),
    [
        (RetrieveRequest(query="x", filter="price <"), "filter", "at character 7: expected a value"),
        (RetrieveRequest(query="x", filter="颜色 = 黑"), "filter", "attributes.color"),
        (RetrieveRequest(query="x", filter="price = nan"), "filter", "price is a number"),
        (RetrieveRequest(query="x", filter="x" * 1_000_000), "filter", "1000000 characters"),
        (RetrieveRequest(query="x", facets=["size"]), "facets", "attributes.color"),
        (RetrieveRequest(query="x", facets=["brand"] * 21), "facets", "at most 20"),
        (RetrieveRequest(query="x", facet_limit=101), "facet_limit", "0 to 100"),
        (RetrieveRequest(for_user=ForUser(), filter="a b"), "filter", "at character 2"),
        (RetrieveRequest(similar_to="boots", filter="👕"), "filter", "after '👕'"),
    ],
)
async def test_bad_input_is_told_with_its_field(stub: Any, request_: Any, field: str, words: str) -> None:
    error = await error_of(stub.Retrieve(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == [field]
    assert words in (error.details() or "")
