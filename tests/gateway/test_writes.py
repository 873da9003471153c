"""Upsert, delete and feedback through four real processes."""

import asyncio
import time
import uuid
from typing import Any

import grpc

from aisle.catalog.v1.product_pb2 import Money, Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    DeleteProductsRequest,
    GetProductRequest,
    RecordEventsRequest,
    SearchRequest,
    UpsertProductsRequest,
)
from tests.rpc_errors import error_of


def _product(title: str) -> Product:
    return Product(
        id=f"new-{uuid.uuid4().hex}",
        title={"en": title, "zh": "全新商品"},
        price=Money(amount=19.9, currency_code="CNY"),
    )


async def test_new_product_is_found_by_the_next_search_and_a_deleted_one_is_not(gateway: Any) -> None:
    product = _product("zanzibar quilted umbrella stand")
    written = await gateway.UpsertProducts(UpsertProductsRequest(products=[product]))
    found = await gateway.Search(SearchRequest(query="zanzibar umbrella stand"))
    deleted = await gateway.DeleteProducts(DeleteProductsRequest(ids=[product.id, "never-was-there"]))
    gone = await gateway.Search(SearchRequest(query="zanzibar umbrella stand"))
    assert (written.upserted, deleted.deleted) == (1, 1)
    assert product.id in {hit.product.id for hit in found.hits}
    assert product.id not in {hit.product.id for hit in gone.hits}
    error = await error_of(gateway.GetProduct(GetProductRequest(id=product.id)))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_upsert_replaces_the_product(gateway: Any) -> None:
    product = _product("first title")
    await gateway.UpsertProducts(UpsertProductsRequest(products=[product]))
    product.title["en"] = "second title"
    await gateway.UpsertProducts(UpsertProductsRequest(products=[product]))
    read = await gateway.GetProduct(GetProductRequest(id=product.id))
    await gateway.DeleteProducts(DeleteProductsRequest(ids=[product.id]))
    assert read.product == product


async def test_products_deleted_while_pages_are_read_are_replaced_by_the_next_ones(gateway: Any) -> None:
    added = [_product(f"walrus ivory chess set {n}") for n in range(30)]
    await gateway.UpsertProducts(UpsertProductsRequest(products=added))
    stop = asyncio.Event()

    async def search() -> list[int]:
        sizes = []
        while not stop.is_set():
            answer = await gateway.Search(SearchRequest(query="walrus chess set", page_size=10))
            sizes.append(len(answer.hits))
        return sizes

    searching = [asyncio.create_task(search()) for _ in range(3)]
    for product in added:
        await gateway.DeleteProducts(DeleteProductsRequest(ids=[product.id]))
    stop.set()
    for sizes in await asyncio.gather(*searching):
        assert set(sizes) == {10}


async def test_events_are_recorded_once_under_their_id(gateway: Any) -> None:
    events = [
        UserEvent(event_id=uuid.uuid4().hex, user_id="u", type=EventType.EVENT_TYPE_CLICK, product_id="p")
        for _ in range(3)
    ]
    first = await gateway.RecordEvents(RecordEventsRequest(events=events))
    again = await gateway.RecordEvents(RecordEventsRequest(events=events))
    assert (first.recorded, first.duplicates) == (3, 0)
    assert (again.recorded, again.duplicates) == (0, 3)


async def test_a_thousand_events_of_every_kind_are_recorded_at_once(gateway: Any) -> None:
    kinds = EventType.values()[1:]
    events = [
        UserEvent(
            event_id=uuid.uuid4().hex,
            user_id=f"user {n % 7}",
            product_id=f"产品{n}",
            type=kinds[n % 6],
            rating=5 if kinds[n % 6] == EventType.EVENT_TYPE_RATING else 0,
            review_text="好评 👍" if kinds[n % 6] == EventType.EVENT_TYPE_REVIEW else "",
            position=n,
            query="黑色 T恤",
        )
        for n in range(1000)
    ]
    events[0].event_time.FromSeconds(int(time.time()) - 86_400)
    answer = await gateway.RecordEvents(RecordEventsRequest(events=events))
    assert answer.recorded == 1000
