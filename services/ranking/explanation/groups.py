"""The features in groups that a merchant can tell apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ranking.features import FEATURES
from services.ranking.history_features import HISTORY_FEATURES
from services.ranking.history_pairs import PAIRS
from services.ranking.product_features import PRODUCT_FEATURES
from services.ranking.query_features import QUERY_FEATURES
from services.ranking.retrieval_features import RETRIEVAL_FEATURES
from services.ranking.review_features import REVIEW_FEATURES

RETRIEVAL, QUERY, PRICE, REPUTATION = "retrieval", "query", "price", "reputation"
REVIEWS, FRESHNESS, AVAILABILITY, TASTE = "reviews", "freshness", "availability", "taste"
TEXT = "text"  # what the cross-encoder reads: no feature is of it
GROUPS = (RETRIEVAL, QUERY, PRICE, REPUTATION, REVIEWS, FRESHNESS, AVAILABILITY, TASTE)

_REPUTATION = ("rating_missing", "rating", "reviews_log", "positive_share_missing", "positive_share")
_FRESHNESS = ("age_missing", "fresh_month", "fresh_year")


def group_of(feature: str) -> str:
    """Return the group of a feature or relation, empty for one that is alike for all candidates."""
    if feature in (*PRODUCT_FEATURES, *QUERY_FEATURES, *HISTORY_FEATURES, *PAIRS) and "price" in feature:
        return PRICE
    names = {
        RETRIEVAL: RETRIEVAL_FEATURES,
        QUERY: QUERY_FEATURES,
        REPUTATION: _REPUTATION,
        REVIEWS: REVIEW_FEATURES,
        FRESHNESS: _FRESHNESS,
        AVAILABILITY: ("unavailable",),
        TASTE: (*HISTORY_FEATURES, *PAIRS),
    }
    return next((group for group, features in names.items() if feature in features), "")


def columns(features: Sequence[str] = FEATURES) -> dict[str, NDArray[np.int64]]:
    """Return which of the columns `features` are each group's, int64; every group has some of FEATURES."""
    groups = [group_of(feature) for feature in features]
    return {
        group: np.array([i for i, each in enumerate(groups) if each == group], dtype=np.int64)
        for group in GROUPS
    }
