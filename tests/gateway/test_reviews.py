"""Reviews on their way from an acknowledged event to what ranking and callers are told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    ForgetUserRequest,
    GetProductRequest,
    GetProductResponse,
    RecordEventsRequest,
    SearchRequest,
)
from gateway.backends import Backends
from gateway.flow import Flow
from gateway.popular import PopularList
from gateway.reviews import Reviews
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from runtime.state.sqlite import SqliteState
from tests.gateway.scripted_services import ScriptedServices, scripted_services
from tests.runtime.test_reviews import review

_SECONDS = 30.0


@pytest.fixture
async def services() -> AsyncIterator[tuple[ScriptedServices, Backends]]:
    async with scripted_services() as served:
        yield served


class Gateway:
    """The gateway's parts over one store, as its process puts them together."""

    def __init__(self, path: Path, backends: Backends, batch: int = 4) -> None:
        settings = GatewaySettings()
        self.state = SqliteState(path)
        self.reviews = Reviews(self.state, backends, batch=batch, poll_seconds=0.05)
        flow = Flow(
            backends,
            self.state,
            PopularList(backends, 1),
            settings.budget(),
            reviews=self.reviews.counts,
            candidates=200,
            policy=settings.policy(),
        )
        self.service = GatewayService(flow, self.state, backends, self.reviews)

    async def record(self, *events: UserEvent) -> None:
        answer = await self.service.RecordEvents(RecordEventsRequest(events=events), None)
        assert answer.recorded == len(events)

    async def told(self, product: str = "p1") -> GetProductResponse:
        return await self.service.GetProduct(GetProductRequest(id=product), None)

    async def until_counted(self, reviews: int, product: str = "p1") -> GetProductResponse:
        async with asyncio.timeout(_SECONDS):
            while True:
                answer = await self.told(product)
                told = answer.reviews
                if told.positive + told.neutral + told.negative >= reviews:
                    return answer
                await asyncio.sleep(0.01)

    async def until_nothing_waits(self) -> None:
        async with asyncio.timeout(_SECONDS):
            while True:
                if not (await self.state.review_backlog()).reviews:
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
async def gateway(services: Any, tmp_path: Path) -> AsyncIterator[Gateway]:
    made = Gateway(tmp_path / "events.db", services[1])
    yield made
    made.state.close()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until_put_off(reason: str, batches: float) -> None:
    async with asyncio.timeout(_SECONDS):
        while True:
            if metric("aisle_review_batches_total", outcome=reason) >= batches:
                return
            await asyncio.sleep(0.01)


async def test_recorded_reviews_are_judged_in_batches_and_told(services: Any, gateway: Gateway) -> None:
    before = metric("aisle_reviews_judged_total", sentiment="negative")
    blamed = metric("aisle_review_aspects_total", aspect="delivery", sentiment="negative")
    await gateway.record(*(review("p1", f"good {n}") for n in range(5)), review("p1", "bad"))
    async with gateway.reviews.judging():
        told = (await gateway.until_counted(6)).reviews
    assert (told.positive, told.neutral, told.negative) == (5, 0, 1)
    assert told.positive_share == pytest.approx(5 / 6)
    assert [(each.aspect, each.positive, each.negative) for each in told.aspects] == [
        ("quality", 5, 0),
        ("delivery", 0, 1),
    ]
    assert [len(each) for each in services[0].judged] == [4, 2]
    assert metric("aisle_reviews_judged_total", sentiment="negative") == before + 1
    assert metric("aisle_review_aspects_total", aspect="delivery", sentiment="negative") == blamed + 1


async def test_review_recorded_while_nothing_waits_is_judged_too(gateway: Gateway) -> None:
    async with gateway.reviews.judging():
        for number in range(1, 4):
            await gateway.record(review("p1"))
            await gateway.until_counted(number)


async def test_product_without_judged_reviews_tells_none(gateway: Gateway) -> None:
    await gateway.record(review("p1"))  # nothing judges it here
    assert not (await gateway.told()).HasField("reviews")


async def test_nothing_is_judged_when_it_is_switched_off(services: Any, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "events.db", services[1], batch=0)
    await gateway.record(review("p1"))
    async with gateway.reviews.judging():
        await asyncio.sleep(0.2)
        assert metric("aisle_reviews_waiting") == 1
    assert services[0].judged == []
    gateway.state.close()


async def test_ranking_is_told_what_reviews_say_of_the_candidates(services: Any, gateway: Gateway) -> None:
    await gateway.service.Search(SearchRequest(query="shoe"), None)
    assert not services[0].ranked[-1].HasField("reviews")
    await gateway.record(review("p1"), review("p1", "bad"), review("p3"), review("elsewhere"))
    async with gateway.reviews.judging():
        await gateway.until_nothing_waits()
        await gateway.until_counted(2)
    await gateway.service.Search(SearchRequest(query="shoe"), None)
    told = services[0].ranked[-1].reviews
    assert list(told.positive) == [0, 1, 0, 1, 0, 0]
    assert list(told.negative) == [0, 1, 0, 0, 0, 0]
    assert list(told.aspects["quality"].positive) == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
async def test_missing_intent_service_delays_and_loses_nothing(
    services: Any, gateway: Gateway, code: grpc.StatusCode
) -> None:
    reason = "unavailable" if code is grpc.StatusCode.UNAVAILABLE else "error"
    before = metric("aisle_review_batches_total", outcome=reason)
    services[0].failures["ClassifySentiment"] = code
    await gateway.record(review("p1"), review("p1", "bad"))
    async with gateway.reviews.judging():
        await until_put_off(reason, before + 2)
        assert metric("aisle_reviews_waiting") == 2
        assert metric("aisle_reviews_oldest_waiting_seconds") > 0
        assert not (await gateway.told()).HasField("reviews")
        services[0].failures.clear()
        told = (await gateway.until_counted(2)).reviews
    assert (told.positive, told.negative) == (1, 1)


async def test_review_that_cannot_be_read_is_set_aside_alone(services: Any, gateway: Gateway) -> None:
    before = metric("aisle_reviews_judged_total", sentiment="unreadable")
    services[0].illegible = "???"
    await gateway.record(review("p1"), review("p1", "???"), review("p1", "bad"))
    async with gateway.reviews.judging():
        told = (await gateway.until_counted(2)).reviews
        await gateway.until_nothing_waits()
    assert (told.positive, told.negative) == (1, 1)
    assert metric("aisle_reviews_judged_total", sentiment="unreadable") == before + 1


async def test_forgotten_user_s_reviews_are_told_no_more(gateway: Gateway) -> None:
    await gateway.record(review("p1", user="u"), review("p1", "bad", user="other"))
    async with gateway.reviews.judging():
        await gateway.until_counted(2)
        await gateway.service.ForgetUser(ForgetUserRequest(user_id="u"), None)
        told = (await gateway.told()).reviews
        assert (told.positive, told.negative) == (0, 1)
        await gateway.service.ForgetUser(ForgetUserRequest(user_id="other"), None)
        assert not (await gateway.told()).HasField("reviews")


async def test_counts_are_there_again_after_a_restart(
    services: Any, gateway: Gateway, tmp_path: Path
) -> None:
    await gateway.record(review("p1"), review("p1", "bad"))
    async with gateway.reviews.judging():
        await gateway.until_counted(2)
    again = Gateway(tmp_path / "events.db", services[1], batch=0)
    async with again.reviews.judging():
        told = (await again.told()).reviews
        assert (told.positive, told.negative) == (1, 1)
    again.state.close()


async def test_what_another_process_counted_is_told_too(services: Any, tmp_path: Path) -> None:
    judging = Gateway(tmp_path / "events.db", services[1])
    watching = Gateway(tmp_path / "events.db", services[1], batch=0)
    async with judging.reviews.judging(), watching.reviews.judging():
        await watching.record(review("p1"))
        await watching.until_counted(1)
    judging.state.close()
    watching.state.close()


async def test_events_that_are_no_reviews_wake_nobody(services: Any, gateway: Gateway) -> None:
    click = UserEvent(event_id="c", user_id="u", product_id="p1", type=EventType.EVENT_TYPE_CLICK)
    await gateway.record(click)
    assert (await gateway.state.review_backlog()).reviews == 0
