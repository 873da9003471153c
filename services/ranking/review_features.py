"""What customers' reviews say of a product, seen against the other candidates."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aisle.catalog.v1.reviews_pb2 import AspectColumns, ReviewColumns
from services.ranking.columns import Floats
from services.ranking.scaling import centre

# The aspects that are features, of those that the intent model's lexicon names.
ASPECTS = ("quality", "appearance", "price", "delivery", "service")
REVIEW_FEATURES = (
    "reviews_missing",  # no review of it was read
    "reviews_read_log",  # ln(1 + reviews read), against the candidates' mean
    "reviews_positive",  # share of positive ones, smoothed by their number, against the candidates' mean
    "reviews_negative",
    *(f"{aspect}_praised" for aspect in ASPECTS),  # (praising − blaming clauses) / all, smoothed likewise
)

# As if so many more reviews said what those of all candidates say together. For shares that differ from
# product to product with variance v about p this is p (1 − p) / v − 1, the Beta distribution's strength.
_PRIOR_REVIEWS = 5.0


@dataclass(frozen=True)
class Reviews:
    """Reviews, or clauses of them, of n products: float64 [n] each, 0 where there are none."""

    positive: Floats
    neutral: Floats
    negative: Floats

    @property
    def all(self) -> Floats:
        """How many there are of each product, float64 [n]."""
        return self.positive + self.neutral + self.negative


def read_reviews(columns: ReviewColumns | AspectColumns, n: int) -> Reviews:
    """Return columns of n rows as arrays; an empty column means that no row has any."""
    named = (columns.positive, columns.neutral, columns.negative)
    positive, neutral, negative = (
        np.array(each, dtype=np.float64) if len(each) else np.zeros(n) for each in named
    )
    return Reviews(positive, neutral, negative)


def review_features(columns: ReviewColumns | None, n: int) -> dict[str, Floats]:
    """Return the features of n candidates by name, float64 [n] each; no review counts as average."""
    whole = read_reviews(columns or ReviewColumns(), n)
    return {
        "reviews_missing": (whole.all == 0).astype(np.float64),
        "reviews_read_log": centre(np.log1p(whole.all)),
        "reviews_positive": _smoothed(whole.positive, whole.all),
        "reviews_negative": _smoothed(whole.negative, whole.all),
        **_aspects(columns.aspects if columns else {}, n),
    }


def _aspects(named: Mapping[str, AspectColumns], n: int) -> dict[str, Floats]:
    told = {aspect: read_reviews(named[aspect], n) for aspect in ASPECTS if aspect in named}
    return {
        f"{aspect}_praised": _smoothed(told[aspect].positive - told[aspect].negative, told[aspect].all)
        if aspect in told
        else np.zeros(n)
        for aspect in ASPECTS
    }


def _smoothed(part: Floats, whole: Floats) -> Floats:
    """Return (part + prior · strength) / (whole + strength) against its mean, float64 [n], 0 for whole = 0.

    The prior is what the candidates' reviews say together: a posterior mean under a Beta prior whose mean is
    that of the request (empirical Bayes; Robbins, 1956).
    """
    everything = float(whole.sum())
    prior = float(part.sum()) / everything if everything else 0.0
    means = (part + prior * _PRIOR_REVIEWS) / (whole + _PRIOR_REVIEWS)
    return centre(np.where(whole > 0, means, np.nan))
