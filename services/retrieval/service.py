"""The gRPC face of the catalogue."""

import asyncio
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.serving_pb2 import Degradation, ModelVersion, Stage
from aisle.retrieval.v1 import retrieval_pb2 as messages
from aisle.retrieval.v1.retrieval_pb2_grpc import RetrievalServiceServicer
from runtime.memory import OF_QUERIES_SECONDS, Memory
from runtime.observability.logs import get_logger
from runtime.observability.metrics import DEGRADED, QUERY_EMBEDDINGS
from runtime.observability.stages import StageClock
from runtime.serving import deadline
from runtime.serving.errors import DeadlineExceeded, NotFound, Overloaded
from services.retrieval.answer import Retrieved
from services.retrieval.catalog import Catalog
from services.retrieval.collaborative_rows import COLLABORATIVE
from services.retrieval.encoder import Encoder
from services.retrieval.generation import Generation
from services.retrieval.given import known_embedding
from services.retrieval.lifecycle import Lifecycle
from services.retrieval.searching import SearchIndex
from services.retrieval.selection import Selection
from services.retrieval.text import passage
from services.retrieval.validation import check_dimension, check_ids, check_products, check_retrieve
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
    """Serves one catalogue with the generation that is active when a request comes in."""

    def __init__(
        self, catalog: Catalog, lifecycle: Lifecycle, dense_budget_seconds: float, remembered: int = 0
    ) -> None:
        """Serve `catalog`, and keep the answers to the `remembered` latest searches until it changes."""
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._dense_budget_seconds = dense_budget_seconds
        self._remembered = remembered
        self._answers: Memory[messages.RetrieveResponse] = Memory(remembered, OF_QUERIES_SECONDS)
        self._answered_by = catalog.serving

    async def Retrieve(self, request: messages.RetrieveRequest, context: Any) -> messages.RetrieveResponse:
        """Find candidates."""
        wish = check_retrieve(request)
        serving = self._catalog.serving
        check_dimension(request.query_embedding, serving.encoder)
        if not request.query or serving.index.state is None:
            return await self._retrieved(serving, request, wish)
        if serving is not self._answered_by:
            self._answered_by = serving
            self._answers = Memory(self._remembered, OF_QUERIES_SECONDS)
        key = serving.index.state, request.SerializeToString(deterministic=True)
        try:
            answer, repeated = await self._answers.get(key, partial(self._whole, serving, request, wish))
        except _NotWhole as lacking:
            return lacking.answer
        return _repeated(answer) if repeated else answer

    async def _whole(
        self, serving: Generation, request: messages.RetrieveRequest, wish: Selection
    ) -> messages.RetrieveResponse:
        """Return an answer that may be kept; raises _NotWhole with one that lacks a channel."""
        answer = await self._retrieved(serving, request, wish)
        if answer.degraded:
            raise _NotWhole(answer)
        return answer

    async def _retrieved(
        self, serving: Generation, request: messages.RetrieveRequest, wish: Selection
    ) -> messages.RetrieveResponse:
        clock = StageClock()
        source = request.WhichOneof("source")
        meant = await read_query(self._catalog, request)
        if source == "query":
            found, degraded = await self._search(serving, request, meant.query, wish, clock)
        else:
            found, degraded = await self._recommend(serving.index, request, wish), ""
        for stage, seconds in found.seconds.items():
            clock.record(f"retrieval/{stage}", seconds)
        return messages.RetrieveResponse(
            candidates=found.candidates,
            history=found.history,
            total=found.selected.total,
            facets=found.selected.facets,
            emptiness=found.selected.emptiness,
            degraded=[Degradation(stage=Stage.STAGE_DENSE, reason=degraded)] if degraded else [],
            models=_models(serving, found, degraded),
            stages=clock.times,
            lexical_weight=found.lexical_weight,
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
        products = await self._catalog.search(partial(self._catalog.index.get, request.ids))
        passages = [passage(product) for product in products] if request.with_passages else []
        return messages.GetProductsResponse(products=products, passages=passages)

    async def UpsertProducts(
        self, request: messages.UpsertProductsRequest, context: Any
    ) -> messages.UpsertProductsResponse:
        """Add or replace products."""
        check_products(request.products)
        await self._catalog.upsert(request.products)
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
        serving = self._catalog.serving
        return messages.GetIndexInfoResponse(
            products=len(serving.index),
            embedding_space=serving.encoder.space,
            dimension=serving.encoder.dimension,
            model=serving.encoder.version,
            current_model_version=self._lifecycle.current_model_version,
            generations=self._lifecycle.generations(),
        )

    async def _search(
        self,
        serving: Generation,
        request: messages.RetrieveRequest,
        query: str,
        wish: Selection,
        clock: StageClock,
    ) -> tuple[Retrieved, str]:
        """Return candidates for `query`, and why the dense channel is missing if it is."""
        index = serving.index
        limit, history = request.limit or _DEFAULT_LIMIT, list(request.history_ids)
        known = known_embedding(request.query_embedding, query, serving.encoder)
        if known is not None:
            return await self._catalog.search(
                partial(index.search, query, known, limit, history, wish=wish)
            ), ""
        words = asyncio.ensure_future(self._catalog.search(partial(index.match_words, query)))
        try:
            embedding, degraded = await self._encode(serving.encoder, query, clock)
        finally:
            lexical = await words
        search = partial(index.search, query, embedding, limit, history, lexical, wish=wish)
        return await self._catalog.search(search), degraded

    async def _encode(
        self, encoder: Encoder, query: str, clock: StageClock
    ) -> tuple[NDArray[np.float32] | None, str]:
        """Return the query's embedding, or None and the reason."""
        seconds = min(self._dense_budget_seconds, deadline.remaining() - _SEARCH_RESERVE_SECONDS)
        try:
            with clock.stage("retrieval/encode"):
                async with asyncio.timeout(seconds):
                    embedding = await encoder.query(query)
            QUERY_EMBEDDINGS.labels("encoded").inc()
            return embedding, ""
        except (TimeoutError, DeadlineExceeded):
            reason = "late"
        except Overloaded:
            reason = "overloaded"
        except Exception:  # whatever the model's runtime raises, words still answer
            logger.exception("query_encoder_failed")
            reason = "error"
        DEGRADED.labels("dense", reason).inc()
        return None, f"{reason}: {_WORDS[reason]}"

    async def _recommend(
        self, index: SearchIndex[Any], request: messages.RetrieveRequest, wish: Selection
    ) -> Retrieved:
        history = list(request.history_ids)
        limit = request.limit or _DEFAULT_LIMIT
        if request.WhichOneof("source") == "for_user":
            return await self._catalog.search(partial(index.for_user, history, limit, wish=wish))
        try:
            find = partial(index.similar_to, request.similar_to, limit, history, wish=wish)
            return await self._catalog.search(find)
        except KeyError as error:
            raise NotFound(f"the catalogue holds no product {request.similar_to!r}") from error


class _NotWhole(Exception):
    """An answer that lacks a channel, and must not be given again."""

    def __init__(self, answer: messages.RetrieveResponse) -> None:
        super().__init__()
        self.answer = answer


def _repeated(answer: messages.RetrieveResponse) -> messages.RetrieveResponse:
    """Return a copy of an answer that was made before, without the time that took."""
    copy = messages.RetrieveResponse()
    copy.CopyFrom(answer)
    del copy.stages[:]
    return copy


def _models(serving: Generation, found: Retrieved, degraded: str) -> list[ModelVersion]:
    """Return the models that took part in what was found."""
    models = [] if degraded else [serving.encoder.version]
    collaborative = serving.index.collaborative_version
    spoke = COLLABORATIVE in (column.channel for column in found.candidates.channels)
    return [*models, collaborative] if collaborative and spoke else models
