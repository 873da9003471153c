"""What the shop's reviews had said at any moment, judged by the published model and counted as in serving."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.state.review_counts import ReviewCounts
from runtime.state.reviews import Counts, Tally, counts_of
from services.intent.decoding import Decoder
from services.intent.judge import ReviewJudge
from services.intent.model import IntentModel
from training.demo_shop import DemoShop, Review


@dataclass(frozen=True)
class DatedReview:
    """What one review counts for, from `seconds` since the Unix epoch on."""

    seconds: int
    product_id: str
    counts: Mapping[str, Counts]


class ReviewTimeline:
    """Counts as of a moment; cheap when moments are asked for in their order."""

    def __init__(self, reviews: Sequence[DatedReview]) -> None:
        self._reviews = sorted(reviews, key=lambda review: review.seconds)
        self._now, self._next = float("-inf"), 0
        self._totals: dict[tuple[str, str], Counts] = {}
        self._counts = ReviewCounts()

    def at(self, seconds: float) -> ReviewCounts:
        """Return the counts of all reviews written before that moment; good until the next call."""
        if seconds < self._now:
            self._now, self._next, self._totals, self._counts = float("-inf"), 0, {}, ReviewCounts()
        self._now = seconds
        while self._next < len(self._reviews) and self._reviews[self._next].seconds < seconds:
            self._count(self._reviews[self._next])
            self._next += 1
        return self._counts

    def _count(self, review: DatedReview) -> None:
        for aspect, (positive, neutral, negative) in review.counts.items():
            before = self._totals.get((review.product_id, aspect), (0, 0, 0))
            total = (before[0] + positive, before[1] + neutral, before[2] + negative)
            self._totals[review.product_id, aspect] = total
            self._counts.put([Tally(review.product_id, aspect, total)])


def read_reviews(shop: DemoShop, model: IntentModel) -> ReviewTimeline:
    """Judge all reviews of the shop with the model, as the gateway has them judged."""
    judge = ReviewJudge(model, Decoder(model.labels))
    counts = asyncio.run(_judged(judge, shop.reviews))
    return ReviewTimeline(
        [
            DatedReview(review.event_seconds, review.product_id, each)
            for review, each in zip(shop.reviews, counts, strict=True)
        ]
    )


async def _judged(judge: ReviewJudge, reviews: Sequence[Review]) -> list[dict[str, Counts]]:
    texts = [review.text for review in reviews]
    judged = await judge.with_aspects(await judge.judge(texts), texts)
    return [counts_of(each.message()) for each in judged]
