"""Judging reviews with the model: what they feel, and what of."""

from collections.abc import Sequence

from aisle.intent.v1.intent_pb2 import ProductSentiment
from services.intent.aspects import Aspects
from services.intent.decoding import Decoder
from services.intent.model import IntentModel
from services.intent.sentiment import Judged, by_product, likeliest


class ReviewJudge:
    """Reads reviews and their clauses; queries go before both."""

    def __init__(self, model: IntentModel, decoder: Decoder) -> None:
        self._model, self._decoder = model, decoder
        self._aspects = Aspects(model.labels.aspects)

    async def sentiments(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the probability of each sentiment of each text. Raises as `IntentModel.read`."""
        return [self._decoder.sentiment(each.outputs) for each in await self._model.read_bulk(texts)]

    async def products(
        self, products: Sequence[str], reviews: Sequence[str], told: Sequence[dict[str, float]]
    ) -> list[ProductSentiment]:
        """Return what the reviews say of each product; `told` are the reviews' own sentiments."""
        clauses = [(row, each) for row, text in enumerate(reviews) for each in self._aspects.clauses(text)]
        judged = await self.sentiments([clause.text for _, clause in clauses])
        by_review: list[list[Judged]] = [[] for _ in reviews]
        for (row, clause), probabilities in zip(clauses, judged, strict=True):
            by_review[row] += [(aspect, likeliest(probabilities)) for aspect in clause.aspects]
        return by_product(products, [likeliest(each) for each in told], by_review)
