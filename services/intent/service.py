"""IntentService over gRPC."""

from typing import Any

from aisle.intent.v1.intent_pb2 import (
    ClassifySentimentRequest,
    ClassifySentimentResponse,
    UnderstandRequest,
    UnderstandResponse,
)
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer
from runtime.observability.stages import StageClock
from services.intent.decoding import Decoder
from services.intent.judge import ReviewJudge
from services.intent.model import IntentModel
from services.intent.reader import Reader
from services.intent.sentiment import by_product
from services.intent.validation import check, check_reviews


class IntentServicer(IntentServiceServicer):
    """Understands queries with one model."""

    def __init__(self, model: IntentModel, remembered: int = 0) -> None:
        self._model = model
        self._reader = Reader(model, remembered)
        self._judge = ReviewJudge(model, Decoder(model.labels))

    async def Understand(self, request: UnderstandRequest, context: Any) -> UnderstandResponse:
        """Read one query; raises InvalidArgument when it or a recent one is empty, too long or not text."""
        check(request)
        clock = StageClock()
        recent = request.user.recent_queries
        reading = await self._reader.read(request.query, recent, clock, embed=request.embed)
        return UnderstandResponse(
            understanding=reading.understanding,
            models=[self._model.version] if reading.by_model else [],
            stages=clock.times,
            shortcut=reading.shortcut,
            embedding=reading.embedding,
        )

    async def ClassifySentiment(
        self, request: ClassifySentimentRequest, context: Any
    ) -> ClassifySentimentResponse:
        """Judge the reviews; raises InvalidArgument when they are none, too many, empty or too long."""
        check_reviews(request)
        clock = StageClock()
        with clock.stage("intent/sentiment"):
            told = await self._judge.judge(request.reviews)
        products = []
        if request.product_ids or request.aspects:
            with clock.stage("intent/aspects"):
                judged = await self._judge.with_aspects(told, request.reviews)
            if request.product_ids:
                products = by_product(
                    request.product_ids,
                    [each.sentiment for each in judged],
                    [each.clauses for each in judged],
                )
            told = judged if request.aspects else told
        return ClassifySentimentResponse(
            sentiments=[each.message() for each in told],
            models=[self._model.version],
            stages=clock.times,
            products=products,
        )
