"""Variants of one product as one hit: the best of those that match."""

import numpy as np
from numpy.typing import NDArray

from services.retrieval.fusion import Rows, Scores
from services.retrieval.values import Codes, Mask


def collapse(found: Mask, scores: Scores, groups: Codes) -> Mask:
    """Return which of the `found` rows are the best of their group, or in none: bool [n].

    scores: float32 [n]; groups: int32 [n], −1 for a product in no group. Of equal scores the first row wins.
    """
    kept: Mask = found & (groups < 0)
    rows = np.flatnonzero(found & (groups >= 0))
    ordered = rows[np.lexsort((-scores[rows], groups[rows]))]
    kept[ordered[np.flatnonzero(np.diff(groups[ordered], prepend=-1))]] = True
    return kept


def sizes(rows: Rows, found: Mask, groups: Codes) -> NDArray[np.int64]:
    """Return how many `found` rows share the group of each of `rows`, itself included: int64 [len(rows)]."""
    held = groups[found & (groups >= 0)]
    if not held.size:
        return np.ones(rows.size, np.int64)
    counted = np.bincount(held)
    of_row = groups[rows]
    return np.where(of_row >= 0, counted[np.clip(of_row, 0, counted.size - 1)], 1)
