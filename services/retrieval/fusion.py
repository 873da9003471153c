"""Fusing what the channels say of every product into one score."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Rows = NDArray[np.intp]

LEXICAL_WEIGHT = 0.2
POPULAR_WEIGHT = 0.3


def standardise(scores: Scores) -> Scores:
    """Return `scores` less their mean, over their standard deviation; zeros when they are all alike.

    The population is the whole catalogue: the mean of a channel's best few would depend on how many were
    asked for, and could not tell a product that the channel did not find from one that it found average.
    """
    deviation = float(scores.std()) if scores.size else 0.0
    if deviation < 1e-9:
        return np.zeros_like(scores)
    standardised: Scores = (scores - scores.mean()) / np.float32(deviation)
    return standardised


def fuse(dense: Scores, other: Scores, weight: float) -> Scores:
    """Return standardised `dense` + `weight` × standardised `other`: float32 [n], all of the same n rows."""
    return standardise(dense) + np.float32(weight) * standardise(other)


def best(scores: Scores, limit: int) -> Rows:
    """Return the rows of the `limit` highest scores, highest first; equal scores keep the order of rows."""
    if limit >= scores.size or limit <= 0:
        return np.argsort(-scores, kind="stable")[: max(limit, 0)]
    least = np.partition(scores, scores.size - limit)[scores.size - limit]
    above = np.flatnonzero(scores > least)
    level = np.flatnonzero(scores == least)[: limit - above.size]
    rows = np.sort(np.concatenate([above, level]))
    return rows[np.argsort(-scores[rows], kind="stable")]


def ranks(scores: Scores, rows: Rows, floor: float = -np.inf) -> Rows:
    """Return the rank of each of `rows` among all scores above `floor`, from 1; 0 for rows not above it.

    Equal scores share the best rank.
    """
    found = np.sort(scores[scores > floor])
    positions = found.size - np.searchsorted(found, scores[rows], side="right") + 1
    return np.where(scores[rows] > floor, positions, 0)
