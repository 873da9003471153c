"""Judging reviews with the model: what they feel, and what of."""

from collections.abc import Sequence
from dataclasses import dataclass

from aisle.intent.v1.intent_pb2 import ReviewSentiment
from services.intent.aspects import Aspects
from services.intent.decoding import Decoder
from services.intent.model import IntentModel
from services.intent.sentiment import Judged, likeliest, review_sentiment


@dataclass(frozen=True)
class JudgedReview:
    """Probabilities by sentiment of a review, and its clauses' aspects where they were asked for."""

    probabilities: dict[str, float]
    clauses: Sequence[Judged] = ()

    @property
    def sentiment(self) -> str:
        """The likeliest sentiment."""
        return likeliest(self.probabilities)

    def message(self) -> ReviewSentiment:
        """Return what the contract tells of it."""
        return review_sentiment(self.probabilities, self.clauses)


class ReviewJudge:
    """Reads reviews and their clauses; queries go before both."""

    def __init__(self, model: IntentModel, decoder: Decoder) -> None:
        self._model, self._decoder = model, decoder
        self._aspects = Aspects(model.labels.aspects)

    async def judge(self, reviews: Sequence[str]) -> list[JudgedReview]:
        """Return what each review feels. Raises as `IntentModel.read`."""
        return [JudgedReview(each) for each in await self._sentiments(reviews)]

    async def with_aspects(self, told: Sequence[JudgedReview], reviews: Sequence[str]) -> list[JudgedReview]:
        """Return judged reviews with what their clauses feel of each aspect; `reviews` are their texts."""
        clauses = [self._aspects.clauses(text) for text in reviews]
        texts = list(dict.fromkeys(clause.text for each in clauses for clause in each))
        felt = dict(zip(texts, map(likeliest, await self._sentiments(texts)), strict=True))
        return [
            JudgedReview(
                review.probabilities,
                [(aspect, felt[clause.text]) for clause in each for aspect in clause.aspects],
            )
            for review, each in zip(told, clauses, strict=True)
        ]

    async def _sentiments(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [self._decoder.sentiment(each.outputs) for each in await self._model.read_bulk(texts)]
