"""How good predicted probabilities are: their order, their level, and the order they give a request."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

_CALIBRATION_BINS = 10


def auc(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Area under the ROC curve of `scores` for binary `labels`, both [n]; NaN when only one label occurs."""
    return float(roc_auc_score(labels, scores)) if np.unique(labels).size == 2 else float("nan")


def calibration_error(labels: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Expected calibration error: mean |observed − predicted| over ten bins of equal numbers of rows.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, with equal-mass bins.
    """
    order = np.argsort(probabilities, kind="stable")
    gaps = [
        abs(labels[part].mean() - probabilities[part].mean()) * len(part)
        for part in np.array_split(order, _CALIBRATION_BINS)
        if len(part)
    ]
    return float(sum(gaps) / len(order))


def mean_ndcg(
    requests: NDArray[np.int64], grades: NDArray[Any], scores: NDArray[Any], depth: int = 10
) -> float:
    """Mean nDCG@`depth` over requests that have any relevant row.

    `requests`: int64 [n], rows of one request lie together; gains are the grades, and the ideal is the best
    order of the rows given. Järvelin and Kekäläinen, 2002.
    """
    values = [
        _ndcg(grades[part], scores[part], depth) for part in _parts(requests) if (grades[part] > 0).any()
    ]
    return float(np.mean(values)) if values else float("nan")


def _ndcg(grades: NDArray[Any], scores: NDArray[Any], depth: int) -> float:
    shown = grades[np.argsort(-scores, kind="stable")][:depth]
    ideal = np.sort(grades)[::-1][:depth]
    discounts = 1 / np.log2(np.arange(2, len(shown) + 2))
    return float((shown @ discounts) / (ideal @ discounts))


def _parts(requests: NDArray[np.int64]) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(requests)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(requests)]
    return (slice(start, end) for start, end in zip(starts, ends, strict=True))
