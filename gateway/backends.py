"""The three services behind the gateway: channels, typed stubs, and a breaker before each."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import grpc

from aisle.intent.v1.intent_pb2 import (
    ClassifySentimentRequest,
    ClassifySentimentResponse,
    UnderstandRequest,
    UnderstandResponse,
)
from aisle.intent.v1.intent_pb2_grpc import IntentServiceStub
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, RerankRequest, RerankResponse
from aisle.ranking.v1.ranking_pb2_grpc import RankingServiceStub
from aisle.retrieval.v1 import retrieval_pb2
from aisle.retrieval.v1.retrieval_pb2_grpc import RetrievalServiceStub
from gateway.breaker import Breaker
from gateway.settings import GatewaySettings
from runtime.serving import deadline
from runtime.serving.channel import RESERVE_SECONDS, UnaryMethod, call, open_channel
from runtime.serving.errors import Unavailable

Request = TypeVar("Request")
Response = TypeVar("Response")

# A caller in a hurry says nothing about the service: silence counts when there was time for an answer.
_FAIR_SECONDS = 0.1


class Service:
    """One service, asked only while it answers."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._breaker = Breaker()

    async def ask(
        self, method: "UnaryMethod[Request, Response]", request: Request, seconds: float
    ) -> Response:
        """Call `method` with at most `seconds`; raises as `call` does, and Unavailable while it is silent."""
        if not self._breaker.allows(time.monotonic()):
            raise Unavailable(f"{self._name} has fallen silent; it is asked again within a second")
        granted = min(seconds, deadline.remaining() - RESERVE_SECONDS)
        try:
            response = await call(method, request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            self._note(error, granted)
            raise
        self._breaker.answered()
        return response

    def _note(self, error: grpc.aio.AioRpcError, granted: float) -> None:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._breaker.answered()
        elif granted >= _FAIR_SECONDS:
            self._breaker.stayed_silent(time.monotonic())


class Backends:
    """Every method the gateway calls. Each takes at most `seconds` and raises grpc.aio.AioRpcError,
    DeadlineExceeded when no time is left, or Unavailable when the service has fallen silent."""

    def __init__(
        self, intent: grpc.aio.Channel, retrieval: grpc.aio.Channel, ranking: grpc.aio.Channel
    ) -> None:
        # The generated stubs are typed for both kinds of channel; these are asynchronous.
        self._intent = cast(Any, IntentServiceStub(intent))
        self._ranking = cast(Any, RankingServiceStub(ranking))
        self._retrieval = cast(Any, RetrievalServiceStub(retrieval))
        # A cross-encoder that takes too long says nothing about ranking itself: it has a breaker of its own.
        self._services = {name: Service(name) for name in ("intent", "retrieval", "ranking", "reranking")}

    async def understand(self, request: UnderstandRequest, seconds: float) -> UnderstandResponse:
        """Ask the intent service to read a query."""
        answer: UnderstandResponse = await self._services["intent"].ask(
            self._intent.Understand, request, seconds
        )
        return answer

    async def classify_sentiment(
        self, request: ClassifySentimentRequest, seconds: float
    ) -> ClassifySentimentResponse:
        """Have reviews judged. Many take long: lateness here says nothing about queries."""
        answer: ClassifySentimentResponse = await call(
            self._intent.ClassifySentiment, request, timeout=seconds
        )
        return answer

    async def retrieve(
        self, request: retrieval_pb2.RetrieveRequest, seconds: float
    ) -> retrieval_pb2.RetrieveResponse:
        """Ask the retrieval service for candidates."""
        answer: retrieval_pb2.RetrieveResponse = await self._services["retrieval"].ask(
            self._retrieval.Retrieve, request, seconds
        )
        return answer

    async def suggest(
        self, request: retrieval_pb2.SuggestRequest, seconds: float
    ) -> retrieval_pb2.SuggestResponse:
        """Ask the retrieval service how a beginning may go on."""
        answer: retrieval_pb2.SuggestResponse = await self._services["retrieval"].ask(
            self._retrieval.Suggest, request, seconds
        )
        return answer

    async def rank(self, request: RankRequest, seconds: float) -> RankResponse:
        """Ask the ranking service to order candidates."""
        answer: RankResponse = await self._services["ranking"].ask(self._ranking.Rank, request, seconds)
        return answer

    async def rerank(self, request: RerankRequest, seconds: float) -> RerankResponse:
        """Ask the ranking service to read passages, and to order the candidates anew."""
        answer: RerankResponse = await self._services["reranking"].ask(self._ranking.Rerank, request, seconds)
        return answer

    async def get_products(
        self, request: retrieval_pb2.GetProductsRequest, seconds: float = math.inf
    ) -> retrieval_pb2.GetProductsResponse:
        """Read products by id."""
        answer: retrieval_pb2.GetProductsResponse = await call(
            self._retrieval.GetProducts, request, timeout=seconds
        )
        return answer

    async def upsert_products(
        self, request: retrieval_pb2.UpsertProductsRequest
    ) -> retrieval_pb2.UpsertProductsResponse:
        """Write products, with all the time the caller gave."""
        answer: retrieval_pb2.UpsertProductsResponse = await call(self._retrieval.UpsertProducts, request)
        return answer

    async def delete_products(
        self, request: retrieval_pb2.DeleteProductsRequest
    ) -> retrieval_pb2.DeleteProductsResponse:
        """Delete products, with all the time the caller gave."""
        answer: retrieval_pb2.DeleteProductsResponse = await call(self._retrieval.DeleteProducts, request)
        return answer


@asynccontextmanager
async def connect(settings: GatewaySettings) -> AsyncIterator[Backends]:
    """Open the channels; they connect by themselves, now or when a service appears."""
    async with (
        open_channel(settings.intent_target) as intent,
        open_channel(settings.retrieval_target) as retrieval,
        open_channel(settings.ranking_target) as ranking,
    ):
        yield Backends(intent, retrieval, ranking)
