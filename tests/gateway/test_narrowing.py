"""What a query demands narrows its answer, through four real processes with the demo shop."""

from typing import Any

import grpc
import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1 import gateway_pb2 as messages
from aisle.gateway.v1.gateway_pb2 import ConstraintFate, Narrowing, SearchRequest, SearchResponse
from tests.rpc_errors import error_of, fields_of


async def _search(gateway: Any, query: str, **values: Any) -> SearchResponse:
    answer = await gateway.Search(SearchRequest(query=query, **({"page_size": 50} | values)))
    assert isinstance(answer, SearchResponse)
    return answer


def _products(answer: SearchResponse) -> list[Product]:
    return [hit.product for hit in answer.hits]


def _fates(answer: SearchResponse) -> dict[str, str]:
    prefix = "CONSTRAINT_FATE_"
    return {e.constraint.key: ConstraintFate.Name(e.fate).removeprefix(prefix) for e in answer.constraints}


def _filters(answer: SearchResponse) -> list[str]:
    return [each.filter for each in answer.constraints if each.filter]


async def test_every_page_keeps_a_price_that_the_query_names(gateway: Any, products: list[Product]) -> None:
    first = answer = await _search(gateway, "T恤 100元以下")
    seen = _products(first)
    while answer.next_page_token:
        answer = await _search(gateway, "T恤 100元以下", page_token=answer.next_page_token)
        seen += _products(answer)
    assert _fates(first) == {"price": "APPLIED"}
    assert all(each.price.amount <= 100 for each in seen)
    assert len(seen) == len({each.id for each in seen})
    assert first.total.value <= sum(each.price.amount <= 100 for each in products)


async def test_the_filter_it_became_gives_the_same_total_and_facets(gateway: Any) -> None:
    facets = ["attributes.color", "category.1"]
    narrowed = await _search(gateway, "T恤 100元以下", facets=facets)
    asked = await _search(
        gateway, "T恤 100元以下", facets=facets, filter=_filters(narrowed)[0], narrowing=Narrowing(off=True)
    )
    assert narrowed.total == asked.total
    assert list(narrowed.facets) == list(asked.facets)
    assert [hit.product.id for hit in narrowed.hits] == [hit.product.id for hit in asked.hits]


@pytest.mark.parametrize("narrowing", [Narrowing(off=True), Narrowing(except_keys=["price"])])
async def test_the_caller_can_switch_it_off(gateway: Any, narrowing: Narrowing) -> None:
    wide = await _search(gateway, "T恤 100元以下", narrowing=narrowing)
    assert _fates(wide) == {"price": "SWITCHED_OFF"}
    assert not _filters(wide)
    assert wide.total.value > (await _search(gateway, "T恤 100元以下")).total.value


@pytest.mark.parametrize("query", ["T恤 不要黑色", "t-shirt not in black"])
async def test_what_is_not_wanted_is_left_out(gateway: Any, query: str) -> None:
    answer = await _search(gateway, query)
    assert _filters(answer) == ['NOT attributes."color" = "black"']
    assert answer.hits
    assert not any("black" in each.attributes["color"].values for each in _products(answer))


async def test_wanted_colours_order_and_wanted_sizes_narrow(gateway: Any) -> None:
    colour = await _search(gateway, "black t-shirt")
    assert _fates(colour) == {"color": "ORDERS"}
    size = await _search(gateway, "running shoes size 42")
    assert _fates(size) == {"size": "APPLIED"}
    assert {value for each in _products(size) for value in each.attributes["size"].values} == {"42"}


async def test_measures_are_met_by_values_however_they_are_written(gateway: Any) -> None:
    answer = await _search(gateway, "power bank at least 10000 mAh")
    assert _fates(answer)["charge"] == "APPLIED"
    sizes = {value for each in _products(answer) for value in each.attributes["size"].values}
    assert sizes <= {"10000mah", "20000mah"}


async def test_the_callers_own_filter_of_a_field_counts(gateway: Any) -> None:
    answer = await _search(gateway, "T恤 100元以下", filter="price < 200")
    assert _fates(answer) == {"price": "OVERRIDDEN"}
    assert any(each.price.amount > 100 for each in _products(answer))


async def test_dollars_are_not_compared_with_yuan(gateway: Any) -> None:
    answer = await _search(gateway, "t-shirt under $20")
    assert _fates(answer) == {"price": "INCOMPARABLE"}
    assert "priced in USD" in answer.constraints[0].reason
    assert answer.total.value > 0


async def test_what_would_leave_nothing_is_relaxed_and_told(gateway: Any) -> None:
    answer = await _search(gateway, "T恤 1元以下 不要黑色")
    assert answer.hits
    assert _fates(answer)["price"] == "RELAXED"
    plain = await _search(gateway, "T恤 1元以下 不要黑色", narrowing=Narrowing(off=True))
    assert 0 < answer.total.value <= plain.total.value


async def test_cheaper_ones_are_of_the_same_kind_and_cheaper(gateway: Any) -> None:
    answer = await _search(gateway, "便宜一点的", recent_queries=["耳机"], page_size=10)
    assert answer.understanding.standalone_query == "耳机"
    assert answer.understanding.categories[0].label == "electronics/headphones"
    assert answer.hits[0].product.category_path[-1] == "headphones"
    relative = answer.constraints[0].constraint
    assert (relative.key, relative.unit) == ("price", "CNY")
    assert all(each.price.amount < relative.number for each in _products(answer))


async def test_a_query_that_stands_alone_is_answered_alike_with_and_without_context(gateway: Any) -> None:
    alone = await _search(gateway, "black t-shirt")
    later = await _search(gateway, "black t-shirt", recent_queries=["耳机", "red dress"])
    assert alone.understanding == later.understanding
    assert [hit.product.id for hit in alone.hits] == [hit.product.id for hit in later.hits]


async def test_a_page_token_is_good_for_its_own_narrowing_only(gateway: Any) -> None:
    first = await _search(gateway, "T恤 100元以下", page_size=5)
    request = SearchRequest(
        query="T恤 100元以下", page_size=5, page_token=first.next_page_token, narrowing=Narrowing(off=True)
    )
    error = await error_of(gateway.Search(request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["page_token"]


@pytest.mark.parametrize("keys", [["price"] * 21, ["x" * 129]])
async def test_bad_keys_are_refused_by_name(gateway: Any, keys: list[str]) -> None:
    request = messages.SearchRequest(query="shoe", narrowing=Narrowing(except_keys=keys))
    (field,) = fields_of(await error_of(gateway.Search(request)))
    assert field.startswith("narrowing.except_keys")
