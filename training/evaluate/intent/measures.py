"""Figures of a classification, each with its bootstrap interval."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from training.calibration import calibration_error
from training.evaluate.figures import Figure

Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.integer[Any]]

_RESAMPLES = 200


def classified(
    probabilities: Sequence[dict[str, float]], truth: Sequence[str], task: str
) -> dict[str, Figure]:
    """Return `<task>/accuracy`, `/macro_f1` over the labels of the truth, and `/ece`.

    `probabilities`: by label, one for each text; the likeliest label is what is said.
    """
    said = np.array([max(each, key=lambda label: each[label]) for each in probabilities])
    sure = np.array([max(each.values()) for each in probabilities])
    true, labels = np.array(truth), sorted(set(truth))
    right = (said == true).astype(np.float64)
    return {
        f"{task}/accuracy": bootstrapped(lambda rows: float(right[rows].mean()), len(true)),
        f"{task}/macro_f1": bootstrapped(lambda rows: _macro_f1(true[rows], said[rows], labels), len(true)),
        f"{task}/ece": bootstrapped(lambda rows: calibration_error(sure[rows], right[rows]), len(true)),
    }


def told_apart(outside: Floats, inside: Floats) -> Figure:
    """Return the area under the ROC curve of scores that should be larger outside than inside."""
    scores = np.concatenate([outside, inside])
    truth = np.repeat([1, 0], [len(outside), len(inside)])

    def area(rows: Rows) -> float:
        both = len(set(truth[rows].tolist())) == 2
        return float(roc_auc_score(truth[rows], scores[rows])) if both else 1.0

    return bootstrapped(area, len(scores))


def share(flags: Sequence[bool]) -> Figure:
    """Return how many are true, of all."""
    values = np.array(flags, dtype=np.float64)
    return bootstrapped(lambda rows: float(values[rows].mean()), len(values))


def span_f1(found: Sequence[set[Any]], true: Sequence[set[Any]]) -> Figure:
    """Return the micro F1 of the facts found in each text against the true ones."""
    right = np.array([len(a & b) for a, b in zip(found, true, strict=True)])
    total = np.array([len(a) + len(b) for a, b in zip(found, true, strict=True)])

    def f1(rows: Rows) -> float:
        return float(2 * right[rows].sum() / max(1, total[rows].sum()))

    return bootstrapped(f1, len(right))


def exactly(value: float, texts: int) -> Figure:
    """Return a figure of `texts` texts that has no interval: a count, a ratio or a difference."""
    return Figure(value, value, value, texts)


def bootstrapped(figure: Callable[[Rows], float], texts: int) -> Figure:
    """Return a figure of rows of a set of `texts`, with its 95 % percentile interval."""
    random = np.random.default_rng(0)
    drawn = [figure(random.integers(0, texts, texts)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(figure(np.arange(texts)), float(low), float(high), texts)


def _macro_f1(true: NDArray[Any], said: NDArray[Any], labels: Sequence[str]) -> float:
    return float(f1_score(true, said, labels=labels, average="macro", zero_division=0))
