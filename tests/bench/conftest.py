"""A small real gateway whose faults are known."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import Degradation, ModelVersion, Stage, StageTime
from aisle.catalog.v1.user_pb2 import UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    AnswerInfo,
    Hit,
    RecommendRequest,
    RecommendResponse,
    RecordEventsRequest,
    RecordEventsResponse,
    SearchRequest,
    SearchResponse,
    SuggestRequest,
    SuggestResponse,
    UpsertProductsRequest,
    UpsertProductsResponse,
)
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server

STALL_SECONDS = 0.2

# The servicer's other methods answer UNIMPLEMENTED, as generated.
_Servicer: Any = GatewayServiceServicer


class FaultyGateway(_Servicer):  # type: ignore[misc]
    """Answers at once, but asked "stall" it stalls for everybody, and it refuses "refuse".

    Every fifth write fails. With `turn_seconds` it answers one call after the other, each in that time.
    """

    def __init__(self) -> None:
        self.address = ""
        self.stalled_until = 0.0
        self.seen: list[SearchRequest] = []
        self.peers: set[str] = set()
        self.events: list[UserEvent] = []
        self.written: list[Product] = []
        self.delay_seconds = 0.0
        self.refusals = 0  # of the next searches
        self.without_suggestions = 0  # of the next beginnings
        self.turn, self.turn_seconds = asyncio.Lock(), 0.0
        self.handled: Callable[[], object] = lambda: None

    async def Recommend(self, request: RecommendRequest, context: Any) -> RecommendResponse:
        return RecommendResponse(info=AnswerInfo(models=[ModelVersion(name="ranker", version="1")]))

    async def RecordEvents(self, request: RecordEventsRequest, context: Any) -> RecordEventsResponse:
        self.events.extend(request.events)
        return RecordEventsResponse(recorded=len(request.events))

    async def UpsertProducts(self, request: UpsertProductsRequest, context: Any) -> UpsertProductsResponse:
        self.written.extend(request.products)
        if len(self.written) % 5 == 0:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "every fifth write fails")
        return UpsertProductsResponse(upserted=len(request.products))

    async def Suggest(self, request: SuggestRequest, context: Any) -> SuggestResponse:
        self.without_suggestions -= 1
        missing = [Degradation(stage=Stage.STAGE_RETRIEVAL)] if self.without_suggestions >= 0 else []
        return SuggestResponse(info=AnswerInfo(degraded=missing))

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:
        self.seen.append(request)
        self.handled()
        self.peers.add(context.peer())
        if request.query == "refuse" or self.refusals > 0:
            self.refusals -= 1
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        if request.query == "stall":
            self.stalled_until = time.monotonic() + STALL_SECONDS
        await asyncio.sleep(self.delay_seconds + max(0.0, self.stalled_until - time.monotonic()))
        if self.turn_seconds:
            async with self.turn:
                await asyncio.sleep(self.turn_seconds)
        info = AnswerInfo(models=[ModelVersion(name="ranker", version="1")])
        info.stages.append(StageTime(stage="retrieval/dense", seconds=0.003))
        if request.query == "degrade":
            info.degraded.append(Degradation(stage=Stage.STAGE_RANKING))
        return SearchResponse(info=info, hits=[Hit(product=Product(id="shown"))])


@asynccontextmanager
async def served() -> AsyncIterator[FaultyGateway]:
    """Serve a FaultyGateway on a free port."""
    servicer, server = FaultyGateway(), grpc.aio.server()
    add_GatewayServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(None)


@pytest.fixture
async def gateway() -> AsyncIterator[FaultyGateway]:
    """A served FaultyGateway."""
    async with served() as servicer:
        yield servicer
