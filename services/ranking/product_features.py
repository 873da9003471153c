"""What is true of a product whoever asks, seen against the other candidates."""

import numpy as np

from services.ranking.columns import Floats, Products
from services.ranking.scaling import centre, smooth, standardise_by

PRODUCT_FEATURES = (
    "price_missing",
    "price_log",  # natural logarithm of price / the candidates' median price
    "price_in_category",  # ln price, standardised over the candidates of the same category
    "rating_missing",
    "rating",  # smoothed by the number of reviews, against the candidates' mean
    "reviews_log",  # ln(1 + reviews), against the candidates' mean
    "positive_share_missing",
    "positive_share",  # smoothed likewise
    "age_missing",
    "fresh_month",  # exp(−age / 30 days), against the candidates' mean
    "fresh_year",
    "unavailable",
)

_RATING_PRIOR, _SHARE_PRIOR, _PRIOR_REVIEWS = 4.0, 0.8, 10.0
_DAY_SECONDS = 86_400.0


def product_features(products: Products, now_seconds: float) -> dict[str, Floats]:
    """Return the features by name, each float64 [n]; what is unknown is flagged and counts as average."""
    log_prices = np.log1p(products.prices)
    age_days = np.maximum(0.0, now_seconds - products.created) / _DAY_SECONDS
    counts = products.review_counts
    ratings = smooth(products.ratings, counts, _RATING_PRIOR, _PRIOR_REVIEWS)
    shares = smooth(products.positive_shares, counts, _SHARE_PRIOR, _PRIOR_REVIEWS)
    return {
        "price_missing": _missing(log_prices),
        "price_log": _against_median(log_prices),
        "price_in_category": standardise_by(log_prices, products.categories.rows + 1),
        "rating_missing": _missing(ratings),
        "rating": centre(ratings),
        "reviews_log": centre(np.log1p(counts)),
        "positive_share_missing": _missing(shares),
        "positive_share": centre(shares),
        "age_missing": _missing(age_days),
        "fresh_month": centre(np.exp(-age_days / 30)),
        "fresh_year": centre(np.exp(-age_days / 365)),
        "unavailable": (~products.available).astype(np.float64),
    }


def _missing(values: Floats) -> Floats:
    return np.isnan(values).astype(np.float64)


def _against_median(values: Floats) -> Floats:
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros(len(values))
    return np.where(known, np.clip(values - np.median(values[known]), -4, 4), 0.0)
