"""The served order beside the baselines, by what users would really do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import kendalltau

from services.ranking.model import FUSED, LAMBDAMART, LINEAR
from services.ranking.objectives import Weights, order
from services.ranking.policy import SurfacePolicy
from training.evaluate.ranking.cases import ANONYMOUS, Case
from training.evaluate.ranking.sweeps import Tried
from training.evaluate.ranking.worth import Order, other_order, served_order, weighed_order, worth

SERVED, CLICKS, BEST = "ranker", "ranker, clicks alone", "truth"
# What the served order must be worth of another's, by nDCG@10 of the true probability of a click.
GOALS: Mapping[str, float] = {FUSED: 1.15, LAMBDAMART: 1.03, ANONYMOUS: 1.10}


def compare(cases: Sequence[Case], served: SurfacePolicy) -> list[Tried]:
    """Return what the baselines, the ranker without and with the user, and the best order are worth.

    Every model is asked with the weights that are served.
    """
    order = served_order(served)
    orders: dict[str, Order] = {
        **{name: other_order(order, name) for name in (FUSED, LINEAR, LAMBDAMART, ANONYMOUS)},
        SERVED: order,
        CLICKS: weighed_order(Weights(fused=0, relevance=0, click=1, conversion=0)),
        BEST: true_order,
    }
    return [Tried(name, worth(cases, each), name == SERVED) for name, each in orders.items()]


def ratios(tried: Sequence[Tried]) -> dict[str, float]:
    """Return the served order's nDCG@10 of true clicks over that of the orders that have a goal."""
    by_name = {each.name: each.worth.appeal_ndcg for each in tried}
    return {name: by_name[SERVED] / by_name[name] for name in GOALS}


def ratios_table(title: str, tried: Sequence[Tried]) -> Table:
    """The ratios beside their goals."""
    drawn = Table("served order over", "ratio", "goal", title=f"{title}: nDCG@10 by clicks")
    for name, value in ratios(tried).items():
        drawn.add_row(
            name, f"{value:.3f}", f"≥ {GOALS[name]:.2f}: {'met' if value >= GOALS[name] else 'missed'}"
        )
    return drawn


def true_order(case: Case) -> NDArray[np.int64]:
    """The order by the true probability of a click: no other has a higher nDCG of it."""
    return np.asarray(order(case.truth.clicks, case.fused))


def agreement(cases: Sequence[Case], scores: Sequence[NDArray[Any]]) -> float:
    """Mean Kendall τ-b over requests, of `scores`, [n] each, with the true probability of a click."""
    values = [kendalltau(mine, case.truth.clicks).statistic for case, mine in zip(cases, scores, strict=True)]
    return float(np.nanmean(values))
