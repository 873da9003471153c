"""How good the predicted probabilities are on the log of held-out users, all days and the last ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from aisle.catalog.v1.user_pb2 import UserContext
from services.ranking.features import Inputs
from services.ranking.model import RankingModel
from training.demo_shop import DemoShop, Request
from training.demo_shop.behaviour import examination
from training.demo_shop.products import LOG_DAYS, LOG_START
from training.demo_shop.truth import Grades
from training.ranker.dataset import Rows, build
from training.ranker.evaluation import figures_of
from training.ranker.recipe import Recipe
from training.ranker.upstream import Upstream

LATER_DAYS = LOG_DAYS - Recipe().days  # no training has seen them
# By how much a figure may miss the truth's, and the largest calibration error.
_GOALS = {"pctr_auc": 0.01, "pcvr_auc": 0.02, "pctr_position_ece": 0.02, "pcvr_ece": 0.02}
_TRUTH = "_truth"


def logged_rows(
    shop: DemoShop, requests: Sequence[Request], upstream: Upstream, contexts: Mapping[str, UserContext]
) -> Rows:
    """Return what was shown in `requests` and a sample of what was judged, as the ranker is trained on."""
    return build(shop, requests, upstream, contexts, Grades(shop.products).of, thin=True, seed=0)


def later(requests: Sequence[Request]) -> NDArray[np.bool_]:
    """Return which requests are of the log's last LATER_DAYS days, bool [requests]."""
    first = LOG_START + (LOG_DAYS - LATER_DAYS) * 86_400
    return np.array([request.event_seconds >= first for request in requests])


def logged_figures(rows: Rows, requests: Sequence[Request], model: RankingModel) -> dict[str, float]:
    """Return the figures of `training.ranker.evaluation` by "<days>/<figure>", of a served model.

    Clicks are compared with P(click | seen) · P(seen), P(seen) being the shop's own: what is judged is the
    prediction, not what was learned about positions.
    """
    figures: dict[str, float] = {}
    kept = {"all days": np.ones(len(requests), dtype=np.bool_), f"last {LATER_DAYS} days": later(requests)}
    seen = examination(int(rows.positions.max())).astype(np.float32)
    for days, of_request in kept.items():
        some = rows.chosen(of_request[rows.requests])
        predictions = model.predict(Inputs(some.features, some.pairs))
        propensities = seen[np.maximum(some.positions, 1) - 1]
        found = figures_of(some, predictions, propensities)
        figures |= {f"{days}/{name}": value for name, value in found.items() if "ndcg" not in name}
    return figures


def logged_table(figures: Mapping[str, float], split: str) -> Table:
    """Each figure beside what the hidden probabilities reach, and whether the goal is met."""
    drawn = Table("days", "figure", "model", "truth", "goal", title=f"what was logged: {split} users")
    for name, value in figures.items():
        days, figure = name.split("/")
        goal = _GOALS.get(figure)
        if name.endswith(_TRUTH) or goal is None:
            continue
        truth = figures.get(name + _TRUTH)
        missed = value > goal if truth is None else value < truth - goal
        wanted = f"≤ {goal:g}" if truth is None else f"truth − {goal:g}"
        told = "" if truth is None else f"{truth:.4f}"
        drawn.add_row(days, figure, f"{value:.4f}", told, f"{wanted}: {'missed' if missed else 'met'}")
    return drawn
