"""Every bad input comes back as a typed error that names its field, and breaks nothing."""

import asyncio
import math
import time
import uuid
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.product_pb2 import Image, Money, Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1 import gateway_pb2 as messages
from runtime.serving.channel import open_channel
from tests.rpc_errors import error_of, fields_of

_SHORT = 0.05  # seconds; too few for silence to be held against a service
_SOON = 5.0
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@dataclass(frozen=True)
class Bad:
    """A request, and how it must be refused."""

    method: str
    request: Any
    fields: tuple[str, ...] = ()
    code: grpc.StatusCode = INVALID


def _search(*fields: str, **values: Any) -> Bad:
    return Bad("Search", messages.SearchRequest(**({"query": "shoe"} | values)), fields)


def _upsert(field: str, *products: Product) -> Bad:
    return Bad("UpsertProducts", messages.UpsertProductsRequest(products=products), (field,))


def _product(**values: Any) -> Product:
    return Product(**({"id": uuid.uuid4().hex, "title": {"en": "shoe"}} | values))


def _priced(amount: float, currency: str = "CNY") -> Product:
    return _product(price=Money(amount=amount, currency_code=currency))


def _events(field: str, **values: Any) -> Bad:
    good: dict[str, Any] = {"event_id": "e", "user_id": "u", "product_id": "p", "type": 2}
    event = UserEvent(**(good | values))
    return Bad("RecordEvents", messages.RecordEventsRequest(events=[event]), (f"events[0].{field}",))


def _timed(seconds: int) -> Bad:
    bad = _events("event_time")
    bad.request.events[0].event_time.seconds = seconds
    return bad


_PRICE = "products[0].price.amount"

BAD = {
    "empty query": _search("query", query=""),
    "blank query": _search("query", query=" \u3000 "),
    "1 MB query": _search("query", query="a" * 1_000_000),
    "control characters": _search("query", query="red\x00shoe"),
    "line break": _search("query", query="red\nshoe"),
    "user id too long": _search("user_id", user_id="黑" * 43),
    "too many recent queries": _search("recent_queries", recent_queries=["x"] * 11),
    "blank recent query": _search("recent_queries[1]", recent_queries=["x", " "]),
    "page size -1": _search("page_size", page_size=-1),
    "page size 101": _search("page_size", page_size=101),
    "page size 1e9": _search("page_size", page_size=10**9),
    "page token of nobody": _search("page_token", page_token="AQAAAAB_nonsense-nonsense"),
    "page token that is no token": _search("page_token", page_token="第二页"),
    "broken filter": _search("filter", filter="price <"),
    "unknown field in a filter": _search("filter", filter="colour = black"),
    "text for a number in a filter": _search("filter", filter="price < NaN"),
    "1 MB filter": _search("filter", filter="a" * 1_000_000),
    "emoji alone as a filter": _search("filter", filter="👕"),
    "unknown facet": _search("facets", facets=["colour"]),
    "too many facets": _search("facets", facets=["brand"] * 21),
    "facet limit 1e9": _search("facet_limit", facet_limit=10**9),
    "recommend, broken filter": Bad("Recommend", messages.RecommendRequest(filter="(a=1"), ("filter",)),
    "several fields at once": _search(
        "query", "user_id", "page_size", query="", user_id="\x00", page_size=-1
    ),
    "suggest for nothing": Bad("Suggest", messages.SuggestRequest(), ("prefix",)),
    "suggest for 1 MB": Bad("Suggest", messages.SuggestRequest(prefix="a" * 1_000_000), ("prefix",)),
    "suggest for control characters": Bad("Suggest", messages.SuggestRequest(prefix="a\x00"), ("prefix",)),
    "suggest -1": Bad("Suggest", messages.SuggestRequest(prefix="a", limit=-1), ("limit",)),
    "suggest in an unknown language": Bad(
        "Suggest", messages.SuggestRequest(prefix="a", language="xx"), ("language",)
    ),
    "recommend, page size -1": Bad("Recommend", messages.RecommendRequest(page_size=-1), ("page_size",)),
    "recommend, control user": Bad("Recommend", messages.RecommendRequest(user_id="a\n"), ("user_id",)),
    "similar to nothing": Bad("FindSimilar", messages.FindSimilarRequest(), ("product_id",)),
    "similar, page size 1e9": Bad(
        "FindSimilar", messages.FindSimilarRequest(product_id="p", page_size=10**9), ("page_size",)
    ),
    "similar to an unknown product": Bad(
        "FindSimilar", messages.FindSimilarRequest(product_id="never-was-there"), code=NOT_FOUND
    ),
    "get nothing": Bad("GetProduct", messages.GetProductRequest(), ("id",)),
    "get an unknown product": Bad("GetProduct", messages.GetProductRequest(id="no"), code=NOT_FOUND),
    "no products": _upsert("products"),
    "too many products": _upsert("products", *(_product() for _ in range(257))),
    "product without an id": _upsert("products[0].id", _product(id="")),
    "product without a title": _upsert("products[0].title", _product(title={})),
    "group id too long": _upsert("products[0].group_id", _product(group_id="x" * 129)),
    "same id twice": _upsert("products[1].id", _product(id="twin"), _product(id="twin")),
    "NaN price": _upsert(_PRICE, _priced(math.nan)),
    "infinite price": _upsert(_PRICE, _priced(math.inf)),
    "negative price": _upsert(_PRICE, _priced(-0.01)),
    "currency of no country": _upsert("products[0].price.currency_code", _priced(1, "yuan")),
    "rating of 6": _upsert("products[0].rating", _product(rating=6)),
    "NaN rating": _upsert("products[0].rating", _product(rating=math.nan)),
    "negative review count": _upsert("products[0].review_count", _product(review_count=-1)),
    "delete nothing": Bad("DeleteProducts", messages.DeleteProductsRequest(), ("ids",)),
    "delete an empty id": Bad("DeleteProducts", messages.DeleteProductsRequest(ids=["a", ""]), ("ids[1]",)),
    "no events": Bad("RecordEvents", messages.RecordEventsRequest(), ("events",)),
    "too many events": Bad(
        "RecordEvents", messages.RecordEventsRequest(events=[UserEvent()] * 1001), ("events",)
    ),
    "event without an id": _events("event_id", event_id=""),
    "event without a user": _events("user_id", user_id=""),
    "event without a product": _events("product_id", product_id=""),
    "event of no type": _events("type", type=0),
    "event of an unknown type": _events("type", type=77),
    "event id too long": _events("event_id", event_id="x" * 129),
    "event before 1970": _timed(-1),
    "event of next year": _timed(int(time.time()) + 31_536_000),
    "event at the end of all int64": _timed(2**63 - 1),
    "negative position": _events("position", position=-1),
    "query of an event too long": _events("query", query="a" * 513),
    "rating of a click": _events("rating", rating=4),
    "rating of 0": _events("rating", type=EventType.EVENT_TYPE_RATING),
    "NaN rating of an event": _events("rating", type=EventType.EVENT_TYPE_RATING, rating=math.nan),
    "text of a click": _events("review_text", review_text="nice"),
    "blank review": _events("review_text", type=EventType.EVENT_TYPE_REVIEW, review_text=" "),
    "endless review": _events("review_text", type=EventType.EVENT_TYPE_REVIEW, review_text="a" * 10_001),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_refused_with_its_field(gateway: Any, case: str) -> None:
    bad = BAD[case]
    error = await error_of(getattr(gateway, bad.method)(bad.request, timeout=20))
    assert error.code() is bad.code
    if bad.code is INVALID:
        assert fields_of(error) == list(bad.fields)
    assert "Traceback" not in (error.details() or "")


async def test_nothing_of_a_refused_batch_is_written(gateway: Any) -> None:
    good = _product(images=[Image(uri="/pictures/1.jpg")])
    batch = messages.UpsertProductsRequest(products=[good, _priced(math.nan)])
    assert fields_of(await error_of(gateway.UpsertProducts(batch))) == ["products[1].price.amount"]
    error = await error_of(gateway.GetProduct(messages.GetProductRequest(id=good.id)))
    assert error.code() is NOT_FOUND


@pytest.mark.parametrize(
    "other",
    [
        messages.SearchRequest(query="another query", page_size=5),
        messages.SearchRequest(query="shoe", user_id="another user", page_size=5),
        messages.SearchRequest(query="shoe", page_size=6),
    ],
)
async def test_page_token_of_another_request_is_refused(gateway: Any, other: messages.SearchRequest) -> None:
    first = await gateway.Search(messages.SearchRequest(query="shoe", page_size=5))
    request = messages.SearchRequest()
    request.CopyFrom(other)
    request.page_token = first.next_page_token
    assert fields_of(await error_of(gateway.Search(request))) == ["page_token"]


async def test_page_token_of_another_method_is_refused(gateway: Any) -> None:
    first = await gateway.Recommend(messages.RecommendRequest())
    request = messages.SearchRequest(query="shoe", page_token=first.next_page_token)
    assert fields_of(await error_of(gateway.Search(request))) == ["page_token"]


async def test_page_size_0_is_10(gateway: Any) -> None:
    assert len((await gateway.Search(messages.SearchRequest(query="shoe", page_size=0))).hits) == 10


async def test_expired_deadline_is_told_quickly(gateway: Any) -> None:
    async with asyncio.timeout(_SOON):
        error = await error_of(gateway.Search(messages.SearchRequest(query="shoe"), timeout=0))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_answer_that_does_not_come_is_told_at_the_deadline(
    stack: Any, gateway: Any, products: list[Product]
) -> None:
    request = messages.GetProductRequest(id=products[0].id)
    assert (await gateway.GetProduct(request)).product.id == products[0].id
    stack.freeze("retrieval")  # it holds what is asked for, and nothing else can stand in for it
    try:
        async with asyncio.timeout(_SOON):
            error = await error_of(gateway.GetProduct(request, timeout=_SHORT))
    finally:
        stack.thaw("retrieval")
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await gateway.GetProduct(request)).product.id == products[0].id


async def test_message_that_is_no_message_is_refused(gateway: Any, stack: Any) -> None:
    async with open_channel(stack.gateway) as opened:
        channel: Any = opened
        raw = channel.unary_unary("/aisle.gateway.v1.GatewayService/Search")
        error = await error_of(raw(b"\x0a\x04\xff\xfe\xfd\xfc"))
    assert error.code() is INVALID
    assert fields_of(error) == ["request"]
