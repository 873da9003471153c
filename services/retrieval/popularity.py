"""How popular each product is, from its ratings alone."""

import numpy as np
from numpy.typing import NDArray

_PRIOR_RATINGS = 20.0
_NEUTRAL_RATING = 3.0


def popularity(ratings: NDArray[np.float32], counts: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return smoothed rating × ln(1 + number of ratings): float32 [n], 0 for a product nobody has rated.

    The rating is smoothed towards the catalogue's mean as if 20 more people had given that
    (a Bayesian average), so that one enthusiastic buyer does not outweigh a thousand content ones.
    ratings: float32 [n], NaN when unknown; counts: int32 [n].
    """
    known = np.isfinite(ratings)
    given = np.where(known, counts, 0).astype(np.float32)
    stars = np.where(known, ratings, 0).astype(np.float32)
    total = float(given.sum())
    mean = float((stars * given).sum()) / total if total else _NEUTRAL_RATING
    smoothed = (stars * given + mean * _PRIOR_RATINGS) / (given + _PRIOR_RATINGS)
    return (smoothed * np.log1p(given)).astype(np.float32)
