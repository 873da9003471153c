"""Recorded reviews: judged by the intent service in the background, counted durably, at hand for answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc

from aisle.intent.v1.intent_pb2 import ClassifySentimentRequest, ReviewSentiment, Sentiment
from gateway.backends import Backends
from gateway.degradation import StageFailure, reason_of
from runtime.observability.logs import get_logger
from runtime.observability.metrics import (
    REVIEW_ASPECTS,
    REVIEW_BATCHES,
    REVIEW_LAG,
    REVIEWS_JUDGED,
    REVIEWS_OLDEST,
    REVIEWS_WAITING,
)
from runtime.state.review_counts import ReviewCounts
from runtime.state.reviews import SENTIMENTS, JudgedReview, ReviewStore, WaitingReview, counts_of

logger = get_logger(__name__)

# What was never counted must be 0, not absent: the first increase would not be seen.
for _sentiment in (*SENTIMENTS, "unreadable"):
    REVIEWS_JUDGED.labels(_sentiment)

_JUDGE_SECONDS = 60.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0


class Reviews:
    """What reviews say of products. Nobody's answer or acknowledgement waits for any of it.

    A review waits in the store until it is counted, so that neither a crash nor a missing intent service
    loses one; `counts` are those of the store, a moment later.
    """

    def __init__(self, store: ReviewStore, backends: Backends, *, batch: int, poll_seconds: float) -> None:
        """Judge `batch` reviews at once, none when it is 0; look every `poll_seconds` what others changed."""
        self.counts = ReviewCounts()
        self._store, self._backends = store, backends
        self._batch, self._poll_seconds = batch, poll_seconds
        self._mark = 0
        self._refreshing = asyncio.Lock()
        self._wanted = asyncio.Event()

    def look_again(self) -> None:
        """Say that reviews may have come or gone."""
        self._wanted.set()

    async def refresh(self) -> None:
        """Read what changed in the store; raises Overloaded or Unavailable."""
        async with self._refreshing:  # of two readings at once the older one must not come last
            tallies = await self._store.review_tallies(self._mark)
            self.counts.put(tallies.changed)
            self._mark = tallies.mark

    @asynccontextmanager
    async def judging(self) -> AsyncIterator[None]:
        """Judge in the background; what was counted before is known when the block begins."""
        await self.refresh()
        task = asyncio.create_task(self._judge_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _judge_forever(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            self._wanted.clear()
            try:
                more = await self._judge_some()
                await self.refresh()
            except Exception as error:  # whatever it is, reviews that are recorded later need this to go on
                reason = reason_of(error)
                REVIEW_BATCHES.labels(reason).inc()
                unexpected = None if isinstance(error, StageFailure) else error
                logger.warning(
                    "reviews_not_judged",
                    reason=reason,
                    error=str(error),
                    seconds=pause,
                    exc_info=unexpected,
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            if not more:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _judge_some(self) -> bool:
        """Judge and count a batch; return whether there may be more."""
        backlog = await self._store.review_backlog()
        REVIEWS_WAITING.set(backlog.reviews)
        REVIEWS_OLDEST.set(backlog.oldest_seconds if self._batch else 0.0)
        if not self._batch or not backlog.reviews:
            return False
        waiting = await self._store.waiting_reviews(self._batch)
        told = await self._judge(waiting)
        judged = [
            JudgedReview(review.ticket, {} if each is None else counts_of(each))
            for review, each in zip(waiting, told, strict=True)
        ]
        for seconds in await self._store.settle_reviews(judged):
            REVIEW_LAG.observe(seconds)
        REVIEW_BATCHES.labels("judged").inc()
        _count(told)
        return True

    async def _judge(self, waiting: Sequence[WaitingReview]) -> list[ReviewSentiment | None]:
        """Return what each review says, None for one that the service refuses to read.

        Raises what a call to a service raises, when it is late or gone.
        """
        request = ClassifySentimentRequest(reviews=[each.text for each in waiting], aspects=True)
        try:
            return list((await self._backends.classify_sentiment(request, _JUDGE_SECONDS)).sentiments)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            REVIEW_BATCHES.labels("refused").inc()
            if len(waiting) == 1:
                logger.warning("review_unreadable", ticket=waiting[0].ticket, error=error.details())
                return [None]
        return [judged for each in waiting for judged in await self._judge([each])]


def _count(told: Sequence[ReviewSentiment | None]) -> None:
    for review in told:
        if review is None:
            REVIEWS_JUDGED.labels("unreadable").inc()
            continue
        REVIEWS_JUDGED.labels(_named(review.sentiment)).inc()
        for mention in review.aspects:
            REVIEW_ASPECTS.labels(mention.aspect, _named(mention.sentiment)).inc()


def _named(sentiment: "Sentiment.ValueType") -> str:
    return Sentiment.Name(sentiment).removeprefix("SENTIMENT_").lower()
