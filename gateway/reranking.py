"""The tier after ranking: a cross-encoder reads the first hits beside the query, where the time allows."""

import time

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.ranking.v1.ranking_pb2 import RankRequest, RerankRequest, RerankResponse
from aisle.retrieval.v1.retrieval_pb2 import GetProductsRequest
from gateway.backends import Backends
from gateway.budget import Budget
from gateway.degradation import StageFailure, reason_of
from gateway.notes import Notes
from gateway.order import Order, require_whole
from gateway.pace import Pace
from runtime.serving import deadline
from runtime.serving.errors import AisleError, DeadlineExceeded


class Reranker:
    """Orders the first hits anew; ranking applies rules, caps and diversity to the new scores as before."""

    def __init__(self, backends: Backends, budget: Budget, hits: int) -> None:
        """Read so many first `hits`, 0 for none."""
        self._backends = backends
        self._budget = budget
        self._hits = hits
        self._pace = Pace()

    async def rerank(self, request: RankRequest, query: str, order: Order, notes: Notes) -> Order:
        """Return the order after reading, or `order` itself where reading is not wanted, late or failed.

        `request` is what ranking was asked for `order`, `query` what was searched for. Nothing waits for this
        tier: without the time for it the answer is ranking's, and says so.
        """
        if not self._wanted(request, query, order):
            return order
        seconds = self._budget.reranking(deadline.remaining())
        if not seconds or not self._pace.allows(seconds):
            short = DeadlineExceeded(
                "too little time is left for the cross-encoder; the first hits stay unread"
            )
            notes.missing(Stage.STAGE_BUDGET, short, spared=True)
            return order
        try:
            with notes.clock.stage("reranking"):
                asked = await self._ask(request, query, order, seconds)
        except StageFailure as error:
            if reason_of(error) == "late":
                self._pace.outlasted(seconds)
            notes.missing(Stage.STAGE_RERANKING, error, spared=True)
            return order
        if asked is None:
            return order
        rows, answer = asked
        notes.took_part(answer.ranking.models, answer.ranking.stages)
        read = dict(zip(rows, answer.relevances, strict=True))
        return Order(answer.ranking.order, answer.ranking.scores, answer.ranking, read)

    def _wanted(self, request: RankRequest, query: str, order: Order) -> bool:
        """Whether there is anything to read, and it counts for the one who asks."""
        weights = request.weights
        switched_off = weights.HasField("cross_encoder") and weights.cross_encoder == 0
        return bool(self._hits and query and order.predictions and order.rows and not switched_off)

    async def _ask(
        self, request: RankRequest, query: str, order: Order, seconds: float
    ) -> tuple[list[int], RerankResponse] | None:
        """Return the rows read, and what was answered; None where no product has a text."""
        began = time.monotonic()
        passages = await self._passages(request, order, seconds)
        if not passages:
            return None
        rows = list(passages)
        answer = await self._backends.rerank(
            RerankRequest(request=request, rows=rows, passages=passages.values(), query=query),
            began + seconds - time.monotonic(),
        )
        self._pace.took(time.monotonic() - began)
        require_whole(answer.ranking, len(request.candidates.products.ids))
        if len(answer.relevances) != len(rows):
            raise AisleError(f"ranking read {len(answer.relevances)} of {len(rows)} passages")
        return rows, answer

    async def _passages(self, request: RankRequest, order: Order, seconds: float) -> dict[int, str]:
        """Return the passages of the first hits by row; a product that is gone, or has no text, has none."""
        ids = request.candidates.products.ids
        row_of = {ids[row]: row for row in order.rows[: self._hits]}
        answer = await self._backends.get_products(
            GetProductsRequest(ids=row_of, with_passages=True), seconds
        )
        if len(answer.passages) != len(answer.products):
            raise AisleError(
                f"retrieval gave {len(answer.passages)} passages of {len(answer.products)} products; "
                "is it of an older version?"
            )
        texts = zip(answer.products, answer.passages, strict=True)
        return {row_of[product.id]: passage for product, passage in texts if passage.strip()}
