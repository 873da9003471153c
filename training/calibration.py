"""Probabilities that mean what they say: temperature scaling, and how far off they are.

Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

BINS = 15
_BOUNDS = (0.05, 20.0)  # of a temperature


def temperature(logits: Floats, labels: Integers) -> float:
    """Return the temperature that makes the labels likeliest: logits divided by it, then softmax.

    `logits`: float [n, classes]; `labels`: int [n]. Raises ValueError when there are none.
    """
    if not len(labels):
        raise ValueError("a temperature is fitted on at least one labelled row")
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        return -float(log_softmax(logits / np.exp(logarithm), axis=-1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=np.log(_BOUNDS).tolist(), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(logits: Floats, labels: Integers) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of confidence, 0 to 1.

    `logits`: float [n, classes], already divided by their temperature; `labels`: int [n].
    """
    probabilities = softmax(logits.astype(np.float64), axis=-1)
    right = (probabilities.argmax(axis=-1) == labels).astype(np.float64)
    return calibration_error(probabilities.max(axis=-1), right)


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Return the same for confidences [n] and whether each was right [n], 0 or 1."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / max(1, len(right)))
