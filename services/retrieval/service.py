"""The gRPC face of the catalogue."""

import asyncio
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.serving_pb2 import Degradation, Stage
from aisle.retrieval.v1 import retrieval_pb2 as messages
from aisle.retrieval.v1.retrieval_pb2_grpc import RetrievalServiceServicer
from runtime.observability.logs import get_logger
from runtime.observability.metrics import DEGRADED
from runtime.observability.stages import StageClock
from runtime.serving import deadline
from runtime.serving.errors import DeadlineExceeded, NotFound, Overloaded
from services.retrieval.catalog import Catalog
from services.retrieval.encoder import Encoder
from services.retrieval.index import Retrieved
from services.retrieval.validation import check_ids, check_products, check_retrieve
from services.retrieval.words.requests import did_you_mean, read_query, suggest

logger = get_logger(__name__)

_DEFAULT_LIMIT = 200
_WORDS = {
    "late": "the query encoder took longer than its share of the time",
    "overloaded": "too many queries waited for the encoder",
    "error": "the query encoder failed; the log tells why under this request id",
}
_SEARCH_RESERVE_SECONDS = 0.01  # left for searching by words when the encoder takes all there is


class RetrievalServicer(RetrievalServiceServicer):
    """Serves one catalogue with one bi-encoder."""

    def __init__(self, catalog: Catalog, encoder: Encoder, dense_budget_seconds: float) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._dense_budget_seconds = dense_budget_seconds

    async def Retrieve(self, request: messages.RetrieveRequest, context: Any) -> messages.RetrieveResponse:
        """Find candidates."""
        check_retrieve(request)
        clock = StageClock()
        source = request.WhichOneof("source")
        meant = await read_query(self._catalog, request)
        if source == "query":
            found, degraded = await self._search(request, meant.query, clock)
        else:
            found, degraded = await self._recommend(request), ""
        for stage, seconds in found.seconds.items():
            clock.record(f"retrieval/{stage}", seconds)
        return messages.RetrieveResponse(
            candidates=found.candidates,
            history=found.history,
            matched=found.matched,
            degraded=[Degradation(stage=Stage.STAGE_DENSE, reason=degraded)] if degraded else [],
            models=[] if degraded else [self._encoder.version],
            stages=clock.times,
            did_you_mean=did_you_mean(request, meant),
        )

    async def Suggest(self, request: messages.SuggestRequest, context: Any) -> messages.SuggestResponse:
        """Complete what a user has begun to type."""
        return await suggest(self._catalog, request)

    async def GetProducts(
        self, request: messages.GetProductsRequest, context: Any
    ) -> messages.GetProductsResponse:
        """Read products by id."""
        check_ids(request.ids)
        return messages.GetProductsResponse(products=self._catalog.index.get(request.ids))

    async def UpsertProducts(
        self, request: messages.UpsertProductsRequest, context: Any
    ) -> messages.UpsertProductsResponse:
        """Add or replace products."""
        check_products(request.products)
        embeddings = await self._encoder.products(request.products)
        await self._catalog.upsert(request.products, embeddings)
        return messages.UpsertProductsResponse(upserted=len(request.products))

    async def DeleteProducts(
        self, request: messages.DeleteProductsRequest, context: Any
    ) -> messages.DeleteProductsResponse:
        """Delete products."""
        check_ids(request.ids)
        return messages.DeleteProductsResponse(deleted=await self._catalog.delete(request.ids))

    async def GetIndexInfo(
        self, request: messages.GetIndexInfoRequest, context: Any
    ) -> messages.GetIndexInfoResponse:
        """Tell what the index holds."""
        return messages.GetIndexInfoResponse(
            products=len(self._catalog.index),
            embedding_space=self._encoder.space,
            dimension=self._encoder.dimension,
        )

    async def _search(
        self, request: messages.RetrieveRequest, query: str, clock: StageClock
    ) -> tuple[Retrieved, str]:
        """Return candidates for `query`, and why the dense channel is missing if it is."""
        index = self._catalog.index
        words = asyncio.ensure_future(self._catalog.search(partial(index.match_words, query)))
        try:
            embedding, degraded = await self._encode(query, clock)
        finally:
            lexical = await words
        limit, history = request.limit or _DEFAULT_LIMIT, list(request.history_ids)
        search = partial(index.search, query, embedding, limit, history, lexical)
        return await self._catalog.search(search), degraded

    async def _encode(self, query: str, clock: StageClock) -> tuple[NDArray[np.float32] | None, str]:
        """Return the query's embedding, or None and the reason."""
        seconds = min(self._dense_budget_seconds, deadline.remaining() - _SEARCH_RESERVE_SECONDS)
        try:
            with clock.stage("retrieval/encode"):
                async with asyncio.timeout(seconds):
                    return await self._encoder.query(query), ""
        except (TimeoutError, DeadlineExceeded):
            reason = "late"
        except Overloaded:
            reason = "overloaded"
        except Exception:  # whatever the model's runtime raises, words still answer
            logger.exception("query_encoder_failed")
            reason = "error"
        DEGRADED.labels("dense", reason).inc()
        return None, f"{reason}: {_WORDS[reason]}"

    async def _recommend(self, request: messages.RetrieveRequest) -> Retrieved:
        index, history = self._catalog.index, list(request.history_ids)
        limit = request.limit or _DEFAULT_LIMIT
        if request.WhichOneof("source") == "for_user":
            return await self._catalog.search(partial(index.for_user, history, limit))
        try:
            return await self._catalog.search(partial(index.similar_to, request.similar_to, limit, history))
        except KeyError as error:
            raise NotFound(f"the catalogue holds no product {request.similar_to!r}") from error
