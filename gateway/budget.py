"""How much of the time left each stage may take, so that an answer always comes before the deadline."""

from dataclasses import dataclass

# What follows a stage needs time too: ranking after retrieval, and reading the products after ranking.
_PROFILE_SHARE = 0.1
_INTENT_SHARE = 0.6
_HEAD_START = 0.5  # of intent's seconds
_RETRIEVAL_SHARE = 0.6
_RANKING_SHARE = 0.6
_RERANKING_SHARE = 0.6


@dataclass(frozen=True)
class Budget:
    """Seconds no stage may exceed however far the deadline is, and the seconds kept back for the answer.

    A service that is frozen rather than gone is noticed by its silence alone: the limits keep that from
    costing the caller its whole deadline.
    """

    reserve_seconds: float
    profile_seconds: float
    intent_seconds: float
    retrieval_seconds: float
    ranking_seconds: float
    reranking_seconds: float = 0.0
    reranking_least_seconds: float = 0.0

    def profile(self, remaining: float) -> float:
        """Return the seconds for reading the profile when `remaining` seconds are left."""
        return self._share(remaining, _PROFILE_SHARE, self.profile_seconds)

    def intent(self, remaining: float) -> float:
        """Return the seconds for understanding the query."""
        return self._share(remaining, _INTENT_SHARE, self.intent_seconds)

    def head_start(self, remaining: float) -> float:
        """Return the seconds that retrieval waits for the reading of the query where one pass serves both."""
        return _HEAD_START * self.intent(remaining)

    def retrieval(self, remaining: float) -> float:
        """Return the seconds for finding candidates."""
        return self._share(remaining, _RETRIEVAL_SHARE, self.retrieval_seconds)

    def ranking(self, remaining: float) -> float:
        """Return the seconds for ordering the candidates."""
        return self._share(remaining, _RANKING_SHARE, self.ranking_seconds)

    def reranking(self, remaining: float) -> float:
        """Return the seconds for ordering the first hits anew, 0 when they are too few to begin."""
        seconds = self._share(remaining, _RERANKING_SHARE, self.reranking_seconds)
        return seconds if seconds >= self.reranking_least_seconds else 0.0

    def products(self, remaining: float) -> float:
        """Return the seconds for reading the products of the page, the last stage."""
        return self._share(remaining, 1.0, self.retrieval_seconds)

    def _share(self, remaining: float, share: float, most: float) -> float:
        return min(most, max(0.0, share * (remaining - self.reserve_seconds)))
