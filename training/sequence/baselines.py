"""What a model must outdo: the most popular items, and those that come together most often."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from training.sequence.protocol import Score, Scores
from training.sequence.sequences import Items

_NEWEST = 10


def popularity(users: Sequence[Items], items: int) -> Score:
    """Return what scores an item by how many of `users` had it, whoever asks."""
    counts = np.bincount(np.concatenate([np.unique(user) for user in users]), minlength=items + 1)[1:]
    scores = counts.astype(np.float32)
    return lambda histories: np.tile(scores, (len(histories), 1))


def co_occurrence(users: Sequence[Items], items: int) -> Score:
    """Return what scores an item by how often it came to a user beside those of the history's newest ten.

    The cosine of the two items' users (Sarwar et al., "Item-based collaborative filtering", WWW 2001),
    halved for each step back; the more popular of equals first.
    """
    had = _incidence([np.unique(user) for user in users], items)
    counts = np.maximum(np.asarray(had.sum(axis=0)).ravel(), 1.0)
    normalised = had.multiply(1 / np.sqrt(counts)[None, :]).tocsr()
    together = (normalised.T @ normalised).tocsr()
    together.setdiag(0)
    tie_break = (counts / counts.max() * 1e-6).astype(np.float32)

    def score(histories: Sequence[Items]) -> Scores:
        newest = [history[-_NEWEST:] for history in histories]
        weights = [0.5 ** np.arange(len(each) - 1, -1, -1.0) for each in newest]
        read = _incidence(newest, items, weights)
        scores: Scores = (read @ together).toarray().astype(np.float32) + tie_break
        return scores

    return score


def _incidence(rows: Sequence[Items], items: int, weights: Sequence[NDArray[np.float64]] = ()) -> csr_array:
    ends = np.cumsum([0, *map(len, rows)])
    values = np.concatenate(weights) if weights else np.ones(ends[-1])
    return csr_array((values, np.concatenate(rows) - 1, ends), shape=(len(rows), items))
