"""kill -9 right after an acknowledgement loses nothing."""

import asyncio
import random
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    DeleteProductsRequest,
    ForgetUserRequest,
    GetProductRequest,
    RecommendRequest,
    RecordEventsRequest,
    UpsertProductsRequest,
)
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests.fault.searching import missing, search, until_whole
from tests.rpc_errors import error_of

_MOST_BATCHES = 500


def _events(count: int, product: str = "p") -> list[UserEvent]:
    return [
        UserEvent(
            event_id=uuid.uuid4().hex,
            user_id="u",
            type=EventType.EVENT_TYPE_CART,
            product_id=f"{product}{number}",
        )
        for number in range(count)
    ]


async def test_acknowledged_events_outlive_the_gateway(stack: Stack, gateway: Any) -> None:
    events = _events(200)
    batches = [RecordEventsRequest(events=events[start : start + 10]) for start in range(0, 200, 10)]
    answers = await asyncio.gather(*(gateway.RecordEvents(each, timeout=30) for each in batches))
    stack.kill("gateway")
    assert sum(answer.recorded for answer in answers) == 200
    await asyncio.to_thread(stack.restart, "gateway")
    async with open_channel(stack.gateway) as channel:
        again: Any = GatewayServiceStub(channel)
        answer = await again.RecordEvents(RecordEventsRequest(events=events), timeout=30)
        assert (answer.recorded, answer.duplicates) == (0, 200)
        await until_whole(again)


async def test_forgotten_user_stays_forgotten_when_the_gateway_is_killed(stack: Stack, gateway: Any) -> None:
    await until_whole(gateway)
    user, anonymous = uuid.uuid4().hex, RecommendRequest(page_size=20)
    liked = [hit.product.id for hit in (await gateway.Recommend(anonymous, timeout=10)).hits[:5]]
    events = _events(5)
    for event, product in zip(events, liked, strict=True):
        event.user_id, event.product_id = user, product
    await gateway.RecordEvents(RecordEventsRequest(events=events), timeout=30)
    forgotten = await gateway.ForgetUser(ForgetUserRequest(user_id=user), timeout=30)
    stack.kill("gateway")
    assert (forgotten.events, forgotten.history_products) == (5, 5)
    await asyncio.to_thread(stack.restart, "gateway")
    async with open_channel(stack.gateway) as channel:
        again: Any = GatewayServiceStub(channel)
        await until_whole(again)
        as_anonymous = await again.Recommend(anonymous, timeout=10)
        as_user = await again.Recommend(RecommendRequest(page_size=20, user_id=user), timeout=10)
        assert [hit.product.id for hit in as_user.hits] == [hit.product.id for hit in as_anonymous.hits]
        scores = [hit.score for hit in as_anonymous.hits]
        assert [hit.score for hit in as_user.hits] == pytest.approx(
            scores, abs=1e-3
        )  # ages differ by a second


async def test_acknowledged_products_outlive_retrieval(stack: Stack, gateway: Any) -> None:
    product = Product(id=f"kept-{uuid.uuid4().hex}", title={"en": "xylophone mallet holder"})
    doomed = Product(id=f"doomed-{uuid.uuid4().hex}", title={"en": "bassoon reed cutter"})
    await gateway.UpsertProducts(UpsertProductsRequest(products=[product, doomed]), timeout=30)
    await gateway.DeleteProducts(DeleteProductsRequest(ids=[doomed.id]), timeout=30)
    stack.kill("retrieval")
    await asyncio.to_thread(stack.restart, "retrieval")
    await until_whole(gateway)
    assert (await gateway.GetProduct(GetProductRequest(id=product.id), timeout=10)).product == product
    assert (await error_of(gateway.GetProduct(GetProductRequest(id=doomed.id), timeout=10))).code().name == (
        "NOT_FOUND"
    )


async def test_every_product_of_a_bulk_load_acknowledged_before_a_kill_is_there(
    stack: Stack, gateway: Any
) -> None:
    mark = uuid.uuid4().hex
    acknowledged: list[str] = []
    enough, reached = random.randint(8, 160), asyncio.Event()

    async def load(worker: int) -> None:
        for batch in range(_MOST_BATCHES):
            ids = [f"{mark}-{worker}-{batch}-{number}" for number in range(8)]
            products = [Product(id=each, title={"en": f"bulk thing {each}"}) for each in ids]
            await gateway.UpsertProducts(UpsertProductsRequest(products=products), timeout=30)
            acknowledged.extend(ids)
            if len(acknowledged) >= enough:
                reached.set()

    loads = [asyncio.ensure_future(load(worker)) for worker in range(4)]
    await asyncio.wait_for(reached.wait(), 60)
    await asyncio.sleep(random.uniform(0, 0.1))  # so that the kill comes at any moment of a write
    stack.kill("retrieval")
    outcomes = await asyncio.gather(*loads, return_exceptions=True)
    kept = list(acknowledged)
    assert all(isinstance(outcome, grpc.aio.AioRpcError) for outcome in outcomes)
    await asyncio.to_thread(stack.restart, "retrieval")
    await until_whole(gateway)
    for product_id in kept:
        found = await gateway.GetProduct(GetProductRequest(id=product_id), timeout=10)
        assert found.product.title["en"] == f"bulk thing {product_id}"


async def test_broken_profile_store_leaves_an_anonymous_user(
    stack: Stack, gateway: Any, state_folder: Path
) -> None:
    await until_whole(gateway)
    with sqlite3.connect(state_folder / "events.db") as connection:
        connection.execute("ALTER TABLE history RENAME TO gone")
    try:
        answer = await search(gateway)
        recommended = await gateway.Recommend(RecommendRequest(), timeout=10)
    finally:
        with sqlite3.connect(state_folder / "events.db") as again:
            again.execute("ALTER TABLE gone RENAME TO history")
        for each in (connection, again):
            each.close()
    assert missing(answer) == {"STAGE_PROFILE"}
    assert answer.hits
    assert not missing(recommended)  # it had no user, so nobody's profile was read
    await until_whole(gateway)


@pytest.mark.parametrize("size", [1, 50])
async def test_event_is_in_the_profile_of_the_very_next_request(
    stack: Stack, gateway: Any, size: int
) -> None:
    await until_whole(gateway)
    user = uuid.uuid4().hex
    before = await gateway.Recommend(RecommendRequest(user_id=user, page_size=size), timeout=10)
    liked = [hit.product.id for hit in before.hits]
    events = _events(len(liked))
    for event, product in zip(events, liked, strict=True):
        event.user_id, event.product_id = user, product
    await gateway.RecordEvents(RecordEventsRequest(events=events), timeout=30)
    after = await gateway.Recommend(RecommendRequest(user_id=user, page_size=size), timeout=10)
    assert not set(liked) & {hit.product.id for hit in after.hits}
