"""Reviews whose classification is cut off: by kill -9 of the gateway, by an intent service that is gone."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aisle.catalog.v1.reviews_pb2 import ReviewSummary
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import ForgetUserRequest, GetProductRequest, RecordEventsRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests.fault.searching import missing, search, until_whole

_SECONDS = 90.0
_PRAISE, _BLAME = "质量很好，物流很快，推荐购买", "Poor quality, it broke after two days. Never again."


def _reviews(count: int, product: str, user: str = "") -> list[UserEvent]:
    return [
        UserEvent(
            event_id=uuid.uuid4().hex,
            user_id=user or f"reviewer {number}",
            type=EventType.EVENT_TYPE_REVIEW,
            product_id=product,
            review_text=_BLAME if number % 4 == 0 else _PRAISE,
        )
        for number in range(count)
    ]


async def _record(gateway: Any, events: list[UserEvent]) -> None:
    answer = await gateway.RecordEvents(RecordEventsRequest(events=events), timeout=30)
    assert answer.recorded == len(events)


async def _told(gateway: Any, product: str) -> ReviewSummary:
    answer = await gateway.GetProduct(GetProductRequest(id=product), timeout=30)
    told: ReviewSummary = answer.reviews
    return told


def _counts(told: ReviewSummary) -> tuple[int, int, int]:
    return told.positive, told.neutral, told.negative


async def _until_counted(gateway: Any, product: str, reviews: int) -> ReviewSummary:
    async with asyncio.timeout(_SECONDS):
        while True:
            told = await _told(gateway, product)
            if sum(_counts(told)) >= reviews:
                return told
            await asyncio.sleep(0.05)


async def _unreviewed(gateway: Any) -> str:
    """Return a product without reviews; a test before may have left some on others."""
    for hit in (await search(gateway)).hits:
        if not any(_counts(await _told(gateway, hit.product.id))):
            return str(hit.product.id)
    raise AssertionError("every product of the first page has reviews")


@asynccontextmanager
async def _again(stack: Stack) -> AsyncIterator[Any]:
    """Start the killed gateway again; its channel is a new one."""
    await asyncio.to_thread(stack.restart, "gateway")
    async with open_channel(stack.gateway) as channel:
        yield GatewayServiceStub(channel)


async def test_reviews_acknowledged_before_kill_9_are_each_counted_once(stack: Stack, gateway: Any) -> None:
    await until_whole(gateway)
    product = await _unreviewed(gateway)
    events = _reviews(160, product)
    await _record(gateway, events)
    await _until_counted(gateway, product, 1)  # some are counted, some not: the kill comes in between
    stack.kill("gateway")
    async with _again(stack) as restarted:
        again = await restarted.RecordEvents(RecordEventsRequest(events=events), timeout=30)
        assert again.duplicates == 160
        assert _counts(await _until_counted(restarted, product, 160)) == (120, 0, 40)
        await until_whole(restarted)
        await asyncio.sleep(0.5)
        assert _counts(await _told(restarted, product)) == (120, 0, 40)


async def test_reviews_wait_for_an_intent_service_that_is_gone(stack: Stack, gateway: Any) -> None:
    await until_whole(gateway)
    product = await _unreviewed(gateway)
    stack.kill("intent")
    await _record(gateway, _reviews(8, product))
    answer = await search(gateway)
    assert answer.hits and missing(answer) == {"STAGE_INTENT"}
    assert _counts(await _told(gateway, product)) == (0, 0, 0)
    stack.kill("gateway")
    async with _again(stack) as restarted:
        assert _counts(await _told(restarted, product)) == (0, 0, 0)
        await asyncio.to_thread(stack.restart, "intent")
        told = await _until_counted(restarted, product, 8)
        assert _counts(told) == (6, 0, 2)
        assert {each.aspect for each in told.aspects} == {"quality", "delivery"}
        await until_whole(restarted)


async def test_reviews_of_a_user_forgotten_before_or_after_they_are_counted_count_no_more(
    stack: Stack, gateway: Any
) -> None:
    await until_whole(gateway)
    product, user = await _unreviewed(gateway), uuid.uuid4().hex
    await _record(gateway, [*_reviews(8, product), *_reviews(8, product, user)])
    await _until_counted(gateway, product, 16)
    await gateway.ForgetUser(ForgetUserRequest(user_id=user), timeout=30)
    assert _counts(await _told(gateway, product)) == (6, 0, 2)
    stack.kill("intent")
    await _record(gateway, _reviews(4, product, user))
    await gateway.ForgetUser(ForgetUserRequest(user_id=user), timeout=30)
    await asyncio.to_thread(stack.restart, "intent")
    await _record(gateway, _reviews(4, product))
    assert _counts(await _until_counted(gateway, product, 12)) == (9, 0, 3)
    await until_whole(gateway)
