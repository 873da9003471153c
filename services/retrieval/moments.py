"""The mean and spread of a query's inner products with all embeddings, without computing them."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.retrieval.fusion import Spread
from services.retrieval.inner_products import inner_products

Vectors = NDArray[np.float32]

_PENDING = 512
# The folded covariance is float32: a smaller deviation is rounding, not spread.
_LEAST_DEVIATION = 1e-4


@dataclass(frozen=True)
class _Held:
    """Sums over `count` embeddings, and the first `used` signed changes since: +1 added, −1 removed."""

    count: int
    total: NDArray[np.float64]  # [dim]
    squares: NDArray[np.float64]  # [dim, dim], sum of x xᵀ
    covariance: Vectors  # [dim, dim], of those embeddings
    changed: Vectors  # [pending, dim]
    signs: Vectors  # [pending]
    used: int


class EmbeddingMoments:
    """First and second moments of the stored embeddings: E[q·x] = q·μ and Var[q·x] = qᵀ Cov q.

    Exact after every change: the latest few hundred changes are scored one by one and folded into the sums
    (float64) when there are enough of them. One thread changes it; others read beside it without a lock,
    because what is held is replaced whole.
    """

    def __init__(self, dimension: int) -> None:
        zeros = np.zeros((dimension, dimension))
        self._held = _holding(0, np.zeros(dimension), zeros)
        self._mean = self._held, np.zeros(dimension, np.float32)  # of that state

    def add(self, embedding: Vectors) -> None:
        """Count `embedding`, float32 [dimension], in."""
        self._change(embedding, 1)

    def remove(self, embedding: Vectors) -> None:
        """Count `embedding`, which was added, out."""
        self._change(embedding, -1)

    def mean(self) -> Vectors:
        """Return the mean of all embeddings, float32 [dim]; zeros when there are none."""
        held, (known, mean) = self._held, self._mean
        if known is not held:
            signs = held.signs[: held.used]
            count = max(held.count + float(signs.sum()), 1.0)
            mean = ((held.total + signs @ held.changed[: held.used]) / count).astype(np.float32)
            self._mean = held, mean
        return mean

    def spread(self, query: Vectors) -> Spread:
        """Return the mean and deviation of `query`'s inner products with all embeddings."""
        held = self._held
        scores = inner_products(held.changed[: held.used], query).astype(np.float64)
        signs = held.signs[: held.used]
        count = held.count + float(signs.sum())
        if count < 1:
            return Spread(0.0, 0.0)
        folded_mean = float(held.total @ query) / max(held.count, 1)
        folded_variance = float(query @ inner_products(held.covariance, query))
        mean = (held.count * folded_mean + float(signs @ scores)) / count
        squares = held.count * (folded_variance + folded_mean**2) + float(signs @ scores**2)
        deviation = math.sqrt(max(squares / count - mean**2, 0.0))
        return Spread(mean, deviation if deviation > _LEAST_DEVIATION else 0.0)

    def _change(self, embedding: Vectors, sign: int) -> None:
        held = self._held
        held.changed[held.used] = embedding
        held.signs[held.used] = sign
        held = replace(held, used=held.used + 1)
        self._held = _folded(held) if held.used == _PENDING else held


def _folded(held: _Held) -> _Held:
    changed = held.changed.astype(np.float64)
    signed = changed * held.signs[:, None]
    count = held.count + round(float(held.signs.sum()))
    return _holding(count, held.total + signed.sum(axis=0), held.squares + signed.T @ changed)


def _holding(count: int, total: NDArray[np.float64], squares: NDArray[np.float64]) -> _Held:
    mean = total / max(count, 1)
    covariance = (squares / max(count, 1) - np.outer(mean, mean)).astype(np.float32)
    changed = np.zeros((_PENDING, len(total)), np.float32)
    return _Held(count, total, squares, covariance, changed, np.zeros(_PENDING, np.float32), 0)
