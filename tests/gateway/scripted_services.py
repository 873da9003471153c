"""The three services as one that a test tells how to behave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.matches_pb2 import Count
from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import Degradation, ModelVersion
from aisle.catalog.v1.words_pb2 import DidYouMean, Suggestion
from aisle.intent.v1.intent_pb2 import (
    AspectMention,
    ClassifySentimentRequest,
    ClassifySentimentResponse,
    Constraint,
    LabelProbability,
    ReviewSentiment,
    Sentiment,
    Understanding,
    UnderstandResponse,
)
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer, add_IntentServiceServicer_to_server
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, RerankRequest, RerankResponse
from aisle.ranking.v1.ranking_pb2_grpc import (
    RankingServiceServicer,
    add_RankingServiceServicer_to_server,
)
from aisle.retrieval.v1.retrieval_pb2 import (
    Candidates,
    GetProductsRequest,
    GetProductsResponse,
    RetrieveRequest,
    RetrieveResponse,
    SuggestRequest,
    SuggestResponse,
)
from aisle.retrieval.v1.retrieval_pb2_grpc import (
    RetrievalServiceServicer,
    add_RetrievalServiceServicer_to_server,
)
from gateway.backends import Backends
from runtime.serving.channel import open_channel
from runtime.serving.interceptor import Limits, ServingInterceptor

# Candidates of every answer: products p0 to p5, p3 and p5 of category "shoe".
N = 6


@dataclass
class ScriptedServices(IntentServiceServicer, RetrievalServiceServicer, RankingServiceServicer):
    """All three services for reads; `failures` says with which code a method fails."""

    failures: dict[str, grpc.StatusCode] = field(default_factory=dict)
    order: list[int] = field(default_factory=lambda: list(reversed(range(N))))
    categories: list[LabelProbability] = field(default_factory=list)
    degraded: list[Degradation] = field(default_factory=list)
    did_you_mean: DidYouMean | None = None
    deleted: set[str] = field(default_factory=set)
    groups: dict[str, str] = field(default_factory=dict)
    languages: dict[str, str] = field(default_factory=dict)  # of queries; the others are "en"
    understood: list[str] = field(default_factory=list)
    ranked: list[RankRequest] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    standalone: dict[str, str] = field(default_factory=dict)  # of queries that go on from an earlier one
    embeds: bool = True  # whether intent gives an embedding to who asks for one
    intent_waits: bool = False  # intent answers only after retrieval was asked
    retrieves: list[RetrieveRequest] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # retrieval was
    hidden: int = 0
    reordered: list[int] = field(default_factory=lambda: list(range(N)))  # the order after reading
    reread: list[RerankRequest] = field(default_factory=list)
    unread: int = 0  # passages of which nothing is said, after all
    textless: set[str] = field(default_factory=set)
    old: bool = False  # knows of no passages
    judged: list[list[str]] = field(default_factory=list)  # reviews of each request that was answered
    illegible: str = ""  # a request that holds this review is refused

    async def _fail(self, method: str, context: Any) -> None:
        if method in self.failures:
            await context.abort(self.failures[method], "as the test wishes")

    async def Understand(self, request: Any, context: Any) -> UnderstandResponse:
        self.understood.append(request.query)
        await self._fail("Understand", context)
        await self._fail(f"Understand {request.query}", context)
        if self.intent_waits:
            await self.asked.wait()
        understanding = Understanding(
            language=self.languages.get(request.query, "en"),
            categories=self.categories,
            constraints=self.constraints,
            standalone_query=self.standalone.get(request.query, ""),
        )
        made = QueryEmbedding(text=request.query, embedding_space="retriever/1", values=[1.0])
        embedding = made if request.embed and self.embeds else None
        return UnderstandResponse(understanding=understanding, embedding=embedding)

    async def ClassifySentiment(
        self, request: ClassifySentimentRequest, context: Any
    ) -> ClassifySentimentResponse:
        """A review with "bad" in it is negative, and so is the delivery; the others praise the quality."""
        await self._fail("ClassifySentiment", context)
        if self.illegible in request.reviews:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "as the test wishes")
        self.judged.append(list(request.reviews))
        return ClassifySentimentResponse(sentiments=[_judged(text) for text in request.reviews])

    async def Retrieve(self, request: RetrieveRequest, context: Any) -> RetrieveResponse:
        self.filters.append(request.filter)
        self.retrieves.append(request)
        self.asked.set()
        await self._fail("Retrieve", context)
        if request.filter:
            await self._fail("Retrieve with a filter", context)
        columns = ProductColumns(
            ids=[f"p{row}" for row in range(N)], prices=[100.0 * row for row in range(N)]
        )
        fused = [float(N - row) for row in range(N)]
        candidates = Candidates(products=columns, fused_scores=fused, history_affinities=[0.0] * N)
        meant = None if request.exact_spelling else self.did_you_mean
        return RetrieveResponse(
            candidates=candidates,
            total=Count(value=N, lower=N, upper=N, exact=True),
            degraded=self.degraded,
            did_you_mean=meant,
        )

    async def Suggest(self, request: SuggestRequest, context: Any) -> SuggestResponse:
        await self._fail("Suggest", context)
        return SuggestResponse(suggestions=[Suggestion(text=f"{request.prefix}…")] * request.limit)

    async def GetProducts(self, request: GetProductsRequest, context: Any) -> GetProductsResponse:
        await self._fail("GetProducts", context)
        products = [
            Product(
                id=each,
                category_path=["shoe" if each in ("p3", "p5") else "coat"],
                group_id=self.groups.get(each, ""),
            )
            for each in request.ids
            if each not in self.deleted
        ]
        passages = ["" if each.id in self.textless else f"text of {each.id}" for each in products]
        return GetProductsResponse(
            products=products, passages=passages if request.with_passages and not self.old else ()
        )

    async def Rank(self, request: RankRequest, context: Any) -> RankResponse:
        self.ranked.append(request)
        await self._fail("Rank", context)
        return self._in_order(self.order, best=float(N))

    async def Rerank(self, request: RerankRequest, context: Any) -> RerankResponse:
        self.reread.append(request)
        await self._fail("Rerank", context)
        answer = self._in_order(self.reordered, best=100.0)
        answer.models.add(name="cross_encoder", version="1")
        read = len(request.rows) - self.unread
        return RerankResponse(ranking=answer, relevances=[0.25] * read)

    def _in_order(self, rows: list[int], best: float) -> RankResponse:
        column = [0.5] * len(rows)
        return RankResponse(
            order=rows,
            scores=[best - place for place in range(len(rows))],
            click_probabilities=column,
            conversion_probabilities=column,
            relevances=column,
            hidden=self.hidden,
            models=[ModelVersion(name="ranker", version="1")],
        )


def _judged(text: str) -> ReviewSentiment:
    sentiment = Sentiment.SENTIMENT_NEGATIVE if "bad" in text else Sentiment.SENTIMENT_POSITIVE
    aspect = "delivery" if "bad" in text else "quality"
    return ReviewSentiment(sentiment=sentiment, aspects=[AspectMention(aspect=aspect, sentiment=sentiment)])


@asynccontextmanager
async def scripted_services() -> AsyncIterator[tuple[ScriptedServices, Backends]]:
    """Serve all three on a free port until the block ends."""
    served = ScriptedServices()  # type: ignore[abstract]
    server = grpc.aio.server(interceptors=[ServingInterceptor(Limits(30, 100, 100))])
    for add in (
        add_IntentServiceServicer_to_server,
        add_RetrievalServiceServicer_to_server,
        add_RankingServiceServicer_to_server,
    ):
        add(served, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        yield served, Backends(channel, channel, channel)
    await server.stop(None)
