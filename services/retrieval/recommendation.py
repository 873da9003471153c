"""Recommending to a user: how what each channel says of every product is fused, and what is chosen by it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.retrieval import fusion
from services.retrieval.answer import Channel
from services.retrieval.fusion import Rows, Scores

# What the standardised scores of each channel count for.
WEIGHTS: Mapping[str, float] = {"dense": 1.0, "collaborative": 1.0, "popular": fusion.POPULAR_WEIGHT}
# A share of the candidates is kept for new products: without ratings and clicks nothing else finds them.
FRESH_SHARE = 0.1
FRESH_FLOOR = 0.5
_FRESH_HALF_LIFE_SECONDS = 30 * 86_400.0


def fuse(channels: Sequence[Channel], weights: Mapping[str, float] = WEIGHTS) -> Scores:
    """Return the fused scores of all rows, float32 [n]; a channel without a weight counts nothing.

    A row that a channel knows nothing of (−inf) counts as average there.
    """
    weighted = [
        np.float32(weights[channel.name]) * _standardise_known(channel)
        for channel in channels
        if channel.name in weights
    ]
    fused: Scores = np.sum(weighted, axis=0, dtype=np.float32)
    return fused


def _standardise_known(channel: Channel) -> Scores:
    """Return the scores standardised among those that are known (finite), and 0 for the others."""
    known = np.isfinite(channel.scores)
    standardised = np.zeros_like(channel.scores)
    standardised[known] = fusion.standardise(channel.scores[known], channel.spread)
    return standardised


def fresh_channel(create_seconds: NDArray[np.int64], now: float) -> Channel:
    """Return the channel of new products: 1 for one created `now` (seconds since 1970), halved every 30 days.

    It finds those created in the last 30 days. The score is 0 where the creation is unknown; a product
    announced for later is as fresh as can be.
    """
    ages = np.maximum(now - create_seconds, 0.0) / _FRESH_HALF_LIFE_SECONDS
    scores = np.where(create_seconds > 0, np.exp2(-ages), 0.0).astype(np.float32)
    return Channel("fresh", scores, floor=FRESH_FLOOR)


def choose(allowed: Rows, fused: Scores, fresh: Channel, limit: int) -> Rows:
    """Return `limit` of the `allowed` rows, best first; a tenth at least are new where there are so many.

    New are those that `fresh` finds; of those that are not among the best, the best take the last places.
    """
    chosen = _best_of(allowed, fused, limit)
    new = fresh.scores > fresh.floor
    wanted = max(int(limit * FRESH_SHARE) - int(new[chosen].sum()), 0)
    newcomers = _best_of(np.setdiff1d(allowed[new[allowed]], chosen), fused, wanted) if wanted else chosen[:0]
    if not newcomers.size:
        return chosen
    leaving = np.flatnonzero(~new[chosen])[-newcomers.size :]
    return np.concatenate([np.delete(chosen, leaving), newcomers])


def _best_of(rows: Rows, scores: Scores, limit: int) -> Rows:
    return rows[fusion.best(scores[rows], limit)]
