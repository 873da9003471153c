"""Places for new products, whose worth nobody's behaviour has told yet."""

import hashlib
from collections.abc import Collection

import numpy as np

from services.ranking.arrangement.policy import Exploration
from services.ranking.columns import Bools, Floats, Products

_DAY_SECONDS = 86_400.0


def explore(
    scores: Floats,
    free: Bools,
    products: Products,
    exploration: Exploration,
    *,
    places: int,
    taken: Collection[int],
    request_id: str,
    now_seconds: float,
) -> dict[int, int]:
    """Return which row is to stand at which of the first `places`, from 0.

    Of the new products that the scores would leave behind them, each is drawn in proportion to e^score
    (Gumbel top-k: Kool et al., arXiv 1903.06059), so that the better ones are tried more often. The number of
    places is share · places, rounded up or down at random so that it holds on average. Everything is drawn
    from the request id. `taken` places stay as they are.
    """
    random = np.random.default_rng(_seed(request_id))
    wanted = int(exploration.share * places + random.random())
    behind = free & (_ranks(np.where(free, scores, -np.inf)) >= places)
    young = (now_seconds - products.created) / _DAY_SECONDS <= exploration.days  # unknown: NaN is not young
    rows = np.flatnonzero(
        behind & young & products.available & (products.review_counts <= exploration.most_reviews)
    )
    allowed = [place for place in range(exploration.first_position - 1, places) if place not in taken]
    wanted = min(wanted, rows.size, len(allowed))
    if not wanted:
        return {}
    drawn = rows[np.argsort(-(scores[rows] + random.gumbel(size=rows.size)), kind="stable")[:wanted]]
    where = np.sort(random.choice(allowed, wanted, replace=False))
    return dict(zip(where.tolist(), drawn.tolist(), strict=True))


def _seed(request_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest(), "big")


def _ranks(scores: Floats) -> np.ndarray:
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return ranks
