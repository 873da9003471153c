"""Counts what candidates came without; features count it as average (see `features.compute`)."""

import numpy as np
from numpy.typing import NDArray

from runtime.observability.metrics import UNKNOWN_VALUES
from services.ranking.features import FEATURES

_FLAGS = {
    "price": FEATURES.index("price_missing"),
    "rating": FEATURES.index("rating_missing"),
    "positive_share": FEATURES.index("positive_share_missing"),
    "reviews": FEATURES.index("reviews_missing"),
    "create_time": FEATURES.index("age_missing"),
}
_COLUMNS = list(_FLAGS.values())
_COUNTERS = [UNKNOWN_VALUES.labels(field) for field in _FLAGS]


def count_unknown(features: NDArray[np.float32]) -> None:
    """Add the candidates without a value to `aisle_ranking_unknown_values`; features: float32 [n, F]."""
    for counter, count in zip(_COUNTERS, features[:, _COLUMNS].sum(axis=0).tolist(), strict=True):
        if count:
            counter.inc(count)
