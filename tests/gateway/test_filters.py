"""Filters and facets through four real processes with the demo shop."""

from typing import Any

import grpc
import pytest

from aisle.catalog.v1.matches_pb2 import EmptyReason
from aisle.catalog.v1.product_pb2 import Availability, Product
from aisle.gateway.v1.gateway_pb2 import FindSimilarRequest, RecommendRequest, SearchRequest
from tests.rpc_errors import error_of, fields_of

_IN_STOCK = Availability.AVAILABILITY_IN_STOCK


def _price(product: Product) -> float:
    return product.price.amount


async def test_every_page_keeps_the_filter_and_the_rest_of_it_follows_what_matches(
    gateway: Any, products: list[Product]
) -> None:
    middle = sorted(map(_price, products))[len(products) // 2]
    filter_ = f"price < {middle} AND availability = in_stock"
    request = SearchRequest(query="T恤", filter=filter_, page_size=50)
    seen: list[Product] = []
    while True:
        answer = await gateway.Search(request)
        seen += [hit.product for hit in answer.hits]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert seen and all(_price(each) < middle for each in seen)
    possible = [each for each in products if _price(each) < middle and each.availability == _IN_STOCK]
    assert len(seen) == len({each.id for each in seen}) == min(200, len(possible))
    assert answer.total.exact and 0 < answer.total.value <= len(possible)


async def test_choosing_a_value_of_a_facet_gives_as_many_as_it_says(gateway: Any) -> None:
    asked = SearchRequest(query="black summer t-shirt", facets=["attributes.color", "category.1", "price"])
    colors, categories, prices = (await gateway.Search(asked)).facets
    assert colors.values and categories.values and prices.ranges
    for each in colors.values[:3]:
        chosen = SearchRequest(query=asked.query, filter=f'attributes.color = "{each.value}"')
        assert (await gateway.Search(chosen)).total == each.count
    for each in categories.values[:3]:
        chosen = SearchRequest(query=asked.query, filter=f'category:"{each.value}"')
        assert (await gateway.Search(chosen)).total == each.count


async def test_a_chosen_value_keeps_its_siblings(gateway: Any) -> None:
    asked = SearchRequest(query="shoe", facets=["attributes.color"])
    before = (await gateway.Search(asked)).facets
    asked.filter = f'attributes.color = "{before[0].values[0].value}"'
    assert list((await gateway.Search(asked)).facets) == list(before)


async def test_recommendations_and_similar_products_keep_the_filter(
    gateway: Any, products: list[Product]
) -> None:
    brand = products[0].brand
    recommended = await gateway.Recommend(RecommendRequest(filter=f'brand = "{brand}"'))
    similar = await gateway.FindSimilar(
        FindSimilarRequest(product_id=products[1].id, filter=f'brand = "{brand}"')
    )
    for answer in (recommended, similar):
        assert answer.hits and {hit.product.brand for hit in answer.hits} == {brand}


async def test_filter_that_matches_nothing_is_told(gateway: Any) -> None:
    answer = await gateway.Search(SearchRequest(query="shoe", filter="price < 0.001 AND brand:*"))
    assert not answer.hits and not answer.next_page_token
    assert answer.total.value == 0
    assert answer.emptiness.reason == EmptyReason.EMPTY_REASON_FILTERED
    assert answer.emptiness.condition == "price < 0.001"
    assert answer.emptiness.without_filter.value > 0
    found = await gateway.Search(SearchRequest(query="shoe"))
    assert not found.HasField("emptiness")


@pytest.mark.parametrize("other", [{"filter": "price < 1e6"}, {"collapse_variants": True}])
async def test_a_page_token_is_good_for_its_own_filter_only(gateway: Any, other: dict[str, Any]) -> None:
    first = await gateway.Search(SearchRequest(query="shoe"))
    request = SearchRequest(query="shoe", page_token=first.next_page_token, **other)
    error = await error_of(gateway.Search(request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == ["page_token"]


async def test_broken_filter_is_told_with_position_and_known_fields(gateway: Any) -> None:
    error = await error_of(gateway.Search(SearchRequest(query="shoe", filter="colour = black")))
    assert fields_of(error) == ["filter"]
    told = error.details() or ""
    assert "at character 0: there is no field 'colour'" in told
    assert "attributes.color" in told
