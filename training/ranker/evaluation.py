"""What the ranker is worth on users it has not seen, beside the truth of the demo shop."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.ranking.features import Inputs
from services.ranking.objectives import Predictions, Weights, blend
from training.ranker.dataset import Rows
from training.ranker.figures import auc, calibration_error, mean_ndcg
from training.ranker.fit import Learner
from training.ranker.model import TASKS, ServedRanker

_ROWS = 4096  # at once: relations take a hundred times the memory of features


def evaluate(learner: Learner, rows: Rows) -> dict[str, float]:
    """Return the figures of a learner, with the propensities that it has learned."""
    return figures_of(rows, predict(learner, rows), _propensities(learner, rows.positions))


def figures_of(rows: Rows, predictions: Predictions, propensities: NDArray[np.float32]) -> dict[str, float]:
    """Return figures by name; those that end in "_truth" are what the hidden probabilities reach.

    Like is compared with like: the served click probability knows no position and stands beside the true
    attractiveness; with the propensity of its position, float32 [n], it stands beside the true click
    probability. Both are scored against the clicks that were logged.
    """
    shown = rows.positions > 0
    return {
        **_clicks(rows, predictions, propensities, shown),
        **_conversions(rows, predictions, shown & (rows.clicks > 0)),
        **_relevance(rows, predictions),
    }


def predict(learner: Learner, rows: Rows) -> Predictions:
    """Return what the served model says of `rows`."""
    return predict_inputs(learner, Inputs(rows.features, rows.pairs))


def predict_inputs(learner: Learner, inputs: Inputs) -> Predictions:
    """Return what the served model says of candidates."""
    served = ServedRanker(learner.ranker).eval()
    features, pairs = torch.from_numpy(inputs.features), torch.from_numpy(inputs.pairs)
    with torch.no_grad():
        parts = [
            served(some, related.float())
            for some, related in zip(features.split(_ROWS), pairs.split(_ROWS), strict=True)
        ]
    outputs = [torch.cat(each).numpy() for each in zip(*parts, strict=True)]
    return Predictions(**dict(zip(TASKS, outputs, strict=True)))


def _propensities(learner: Learner, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.no_grad():
        logs: NDArray[np.float32] = learner.examination(torch.from_numpy(positions).clamp(min=1)).numpy()
    return np.exp(logs)


def _clicks(
    rows: Rows, predictions: Predictions, propensities: NDArray[np.float32], shown: NDArray[np.bool_]
) -> dict[str, float]:
    clicks, click = rows.clicks[shown], predictions.click[shown]
    with_position = click * propensities[shown]
    attractive, seen = rows.attractiveness[shown], rows.examination[shown]
    reached, reachable = auc(clicks, click), auc(clicks, attractive)
    return {
        "pctr_auc": reached,
        "pctr_auc_truth": reachable,
        "pctr_auc_margin": reached - reachable,
        "pctr_position_auc": auc(clicks, with_position),
        "pctr_position_auc_truth": auc(clicks, attractive * seen),
        "pctr_position_ece": calibration_error(clicks, with_position),
    }


def _conversions(rows: Rows, predictions: Predictions, clicked: NDArray[np.bool_]) -> dict[str, float]:
    purchases, conversion = rows.purchases[clicked], predictions.conversion[clicked]
    return {
        "pcvr_auc": auc(purchases, conversion),
        "pcvr_auc_truth": auc(purchases, rows.conversions[clicked]),
        "pcvr_ece": calibration_error(purchases, conversion),
    }


def _relevance(rows: Rows, predictions: Predictions) -> dict[str, float]:
    orders: dict[str, NDArray[Any]] = {
        "relevance": predictions.relevance,
        "blend": _blended(rows, predictions),
        "fused": rows.fused(),
    }
    return {
        f"{name}_{key}": value for name, each in orders.items() for key, value in ndcg(rows, each).items()
    }


def ndcg(rows: Rows, scores: NDArray[Any]) -> dict[str, float]:
    """Return nDCG by the grades of the judged rows in the order of `scores`, [n]."""
    judged = ~np.isnan(rows.grades)
    return {"ndcg@10": mean_ndcg(rows.requests[judged], rows.grades[judged], scores[judged])}


def _blended(rows: Rows, predictions: Predictions) -> NDArray[np.float64]:
    """Return the scores a page of search results is ordered by, request by request."""
    scores = np.empty(len(rows))
    fused = rows.fused().astype(np.float64)
    for number in np.unique(rows.requests):
        part = rows.requests == number
        mine = Predictions(**{task: getattr(predictions, task)[part] for task in TASKS})
        scores[part] = blend(fused[part], mine, Weights(), familiarity=1.0)
    return scores
