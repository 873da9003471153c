"""What an order of the candidates is worth, and the orders between which one must choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from services.ranking.arrangement.arranging import NO_ORDERS
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import Ints
from services.ranking.objectives import Weights
from services.ranking.ordering import Basis, settle
from services.ranking.policy import SurfacePolicy
from training.demo_shop.behaviour import examination
from training.evaluate.ranking.cases import Case

DEPTH = 10

Order = Callable[[Case], Ints]


@dataclass(frozen=True)
class Worth:
    """Means over requests, of the first ten.

    nDCG by the true grades, by the true probability of a click on what is seen (`appeal_ndcg`), and by that
    of a purchase of it (`purchase_ndcg`); expected clicks and purchases of a shopper who sees position k as
    often as the demo shop's; different categories and brands.
    """

    ndcg: float
    appeal_ndcg: float
    purchase_ndcg: float
    clicks: float
    purchases: float
    categories: float
    brands: float


def worth(cases: Sequence[Case], order: Order) -> Worth:
    """Return what `order` is worth over `cases`."""
    values = np.array([_values(case, order(case)[:DEPTH]) for case in cases])
    return Worth(*(float(value) for value in np.nanmean(values, axis=0)))


def fused_order(case: Case) -> Ints:
    """The order in which retrieval sent the candidates."""
    return np.arange(len(case.fused))


def served_order(policy: SurfacePolicy) -> Order:
    """The order that ranking serves with `policy`."""

    def order(case: Case) -> Ints:
        return _settled(case, policy.weights(case.intents, ObjectiveWeights()), policy.arrangement)

    return order


def weighed_order(weights: Weights, arrangement: Arrangement = Arrangement()) -> Order:  # noqa: B008
    """The order by these weights, whatever the intent."""
    return lambda case: _settled(case, weights, arrangement)


def other_order(order: Order, name: str) -> Order:
    """The same order by what another model predicts."""
    return lambda case: order(replace(case, predictions=case.others[name]))


def pareto(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of float64 [n, objectives] no other row is at least as good as in everything."""
    at_least = np.all(values[None] >= values[:, None], axis=2)
    better = np.any(values[None] > values[:, None], axis=2)
    beaten: NDArray[np.bool_] = np.any(at_least & better, axis=1)
    return ~beaten


def _settled(case: Case, weights: Weights, arrangement: Arrangement) -> Ints:
    basis = Basis(
        fused=case.fused,
        weights=weights,
        familiarity=case.familiarity,
        arrangement=arrangement,
        orders=NO_ORDERS,
        products=case.products,
        request_id=case.request_id,
        now_seconds=float(case.seconds),
    )
    return settle(basis, case.predictions).arranged.rows


def _values(case: Case, shown: Ints) -> tuple[float, ...]:
    truth, seen = case.truth, examination(len(shown))
    clicks = seen * truth.clicks[shown]
    return (
        _ndcg(truth.grades, shown),
        _ndcg(truth.clicks, shown),
        _ndcg(truth.clicks * truth.purchases, shown),
        float(clicks.sum()),
        float((clicks * truth.purchases[shown]).sum()),
        float(np.unique(case.products.categories.rows[shown]).size),
        float(np.unique(case.products.brands.rows[shown]).size),
    )


def _ndcg(gains: NDArray[np.float64], shown: Ints) -> float:
    """nDCG at ten over the candidates (Järvelin and Kekäläinen, 2002); NaN where none has a gain."""
    discounts = 1 / np.log2(np.arange(2, len(shown) + 2))
    ideal = np.sort(gains)[::-1][: len(shown)] @ discounts
    return float(gains[shown] @ discounts / ideal) if ideal else float("nan")
