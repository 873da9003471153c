"""What reviews say of each product: judged one by one, each counted exactly once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aisle.intent.v1.intent_pb2 import ReviewSentiment, Sentiment

WHOLE = ""  # stands for the review as a whole where an aspect could be named
SENTIMENTS = ("positive", "neutral", "negative")
_PLACES = {
    Sentiment.SENTIMENT_POSITIVE: 0,
    Sentiment.SENTIMENT_NEUTRAL: 1,
    Sentiment.SENTIMENT_NEGATIVE: 2,
}

Counts = tuple[int, int, int]  # positive, neutral, negative


@dataclass(frozen=True)
class WaitingReview:
    """A recorded review that is not judged yet; `ticket` stands for it and is never given to another."""

    ticket: int
    product_id: str
    text: str


@dataclass(frozen=True)
class JudgedReview:
    """What a review says: by aspect, and as a WHOLE, in how many clauses. Nothing where it was unreadable."""

    ticket: int
    counts: Mapping[str, Counts]


@dataclass(frozen=True)
class Backlog:
    """How many reviews wait to be judged, and since how many seconds the first of them; 0 for none."""

    reviews: int
    oldest_seconds: float


@dataclass(frozen=True)
class Tally:
    """All that is counted of one aspect of a product, or of the WHOLE."""

    product_id: str
    aspect: str
    counts: Counts


@dataclass(frozen=True)
class Tallies:
    """Tallies that changed, and the `mark` from which to ask for later changes."""

    changed: Sequence[Tally]
    mark: int


class ReviewStore(Protocol):
    """The durable side: reviews of the event log that wait, and what was counted of the others.

    A review waits from the moment its event is acknowledged until it is settled. Forgetting a user takes
    back what was counted of the user's reviews, and no longer lets the others wait. All methods raise
    Overloaded when too much is waiting, and Unavailable when the store fails; calling again is safe.
    """

    async def waiting_reviews(self, most: int) -> list[WaitingReview]:
        """Return reviews that wait, those that came first first."""
        ...

    async def settle_reviews(self, judged: Sequence[JudgedReview]) -> list[float]:
        """Count reviews that still wait and return once that is durable: how many seconds each waited.

        Those that no longer wait (settled by another, or of a forgotten user) change nothing.
        """
        ...

    async def review_backlog(self) -> Backlog:
        """Return how much waits."""
        ...

    async def review_tallies(self, after: int) -> Tallies:
        """Return what changed after a mark, whoever changed it; 0 stands for everything."""
        ...


def counts_of(review: ReviewSentiment) -> dict[str, Counts]:
    """Return what one judged review counts for: once as a WHOLE, and once for each clause that names an
    aspect; the same for serving and training."""
    found = {WHOLE: [0, 0, 0]}
    found[WHOLE][_PLACES[review.sentiment]] += 1
    for mention in review.aspects:
        found.setdefault(mention.aspect, [0, 0, 0])[_PLACES[mention.sentiment]] += 1
    return {aspect: (each[0], each[1], each[2]) for aspect, each in found.items()}
