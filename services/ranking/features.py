"""The features of candidates, computed alike for training and for serving: pure, no server, no torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.reviews_pb2 import ReviewColumns
from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.ranking.v1.ranking_pb2 import Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from runtime.money import Rates
from services.ranking.columns import read_products
from services.ranking.history_features import HISTORY_FEATURES, history_features
from services.ranking.history_pairs import history_pairs
from services.ranking.product_features import PRODUCT_FEATURES, product_features
from services.ranking.query_features import QUERY_FEATURES, query_features
from services.ranking.retrieval_features import RETRIEVAL_FEATURES, retrieval_features
from services.ranking.review_features import REVIEW_FEATURES, review_features

SURFACE_FEATURES = ("surface_home", "surface_similar")
NO_RATES = Rates()
# The columns of the model's input, in their order; a model is served with the list it was trained on only.
FEATURES: tuple[str, ...] = (
    *RETRIEVAL_FEATURES,
    *PRODUCT_FEATURES,
    *REVIEW_FEATURES,
    *QUERY_FEATURES,
    *HISTORY_FEATURES,
    *SURFACE_FEATURES,
)


@dataclass(frozen=True)
class Inputs:
    """What a model sees of n candidates, in row i that of candidate i.

    `features`: float32 [n, len(FEATURES)], finite; `pairs`: uint8 or float32 [n, len(PAIRS), h], how each
    relates to h products of the user's history.
    """

    features: NDArray[np.float32]
    pairs: NDArray[Any]

    def __len__(self) -> int:
        return len(self.features)


def compute(
    candidates: Candidates,
    understanding: Understanding | None,
    user: UserContext | None,
    history: ProductColumns | None,
    *,
    surface: "Surface.ValueType",
    now_seconds: float,
    rates: Rates = NO_RATES,
    reviews: ReviewColumns | None = None,
) -> Inputs:
    """Return what a model sees of n candidates.

    Scores, ratings, reviews, ages and prices are taken relative to the request's other candidates, so that
    a catalogue with other levels than the one trained on looks the same; what is unknown is flagged where
    it can be told apart and counts as average. Without understanding or history their features are 0.
    `now_seconds` is in seconds since the Unix epoch. Price bounds in another currency than a product's count
    as far as `rates` convert them. `reviews` is what reviews say of the candidates, row
    by row. Columns must have equal lengths (see `validation`).
    """
    products = read_products(candidates.products)
    affinities = np.array(candidates.history_affinities, dtype=np.float64)
    values: dict[str, Any] = {
        **retrieval_features(candidates),
        **product_features(products, now_seconds),
        **review_features(reviews, len(products.ids)),
        **query_features(products, understanding, rates),
        **history_features(products, affinities, user, history, now_seconds),
        "surface_home": float(surface == Surface.SURFACE_HOME),
        "surface_similar": float(surface == Surface.SURFACE_SIMILAR),
    }
    matrix = np.empty((len(products.ids), len(FEATURES)), dtype=np.float32)
    for column, name in enumerate(FEATURES):
        matrix[:, column] = values[name]
    pairs = history_pairs(products, user, history, candidates.history_cosines, now_seconds)
    return Inputs(matrix, pairs)
