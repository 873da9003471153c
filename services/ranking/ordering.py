"""From predictions to the order of one request: pure, so that a logged request gives the same order again."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.ranking.arrangement.arranging import Arranged, Orders, arrange
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import Floats, Products
from services.ranking.objectives import Predictions, Weights, terms


@dataclass(frozen=True)
class Basis:
    """What decides an order beside the model's predictions.

    `fused`: float64 [n]; `familiarity`: 0 to 1; `now_seconds` since the Unix epoch. `products` may be None
    when neither the arrangement nor the orders change anything.
    """

    fused: Floats
    weights: Weights
    familiarity: float
    arrangement: Arrangement
    orders: Orders
    products: Products | None
    request_id: str
    now_seconds: float


@dataclass(frozen=True)
class Ordered:
    """The candidates in their order: `terms` by objective, `added` by rules and `scores` are float64 [n]."""

    terms: Mapping[str, Floats]
    added: Floats
    scores: Floats
    arranged: Arranged


def settle(basis: Basis, predictions: Predictions) -> Ordered:
    """Return the order of n candidates and what their scores are made of."""
    found = terms(basis.fused, predictions, basis.weights, basis.familiarity)
    alone: Floats = np.sum(list(found.values()), axis=0)
    added = basis.orders.added(len(alone))
    arranged = arrange(
        alone,
        basis.fused,
        basis.products,
        basis.arrangement,
        basis.orders,
        request_id=basis.request_id,
        now_seconds=basis.now_seconds,
    )
    return Ordered(found, added, alone + added, arranged)
