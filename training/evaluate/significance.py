"""Whether one system is better than another on the same queries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """The means of two systems over the same queries; the 95 % interval and p are of their difference."""

    value: float
    other: float
    low: float
    high: float
    p: float
    queries: int

    @property
    def difference(self) -> float:
        """By how much the first is better."""
        return self.value - self.other

    def record(self) -> dict[str, float]:
        """All of it as JSON values."""
        return {**asdict(self), "difference": self.difference}


def paired(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Difference:
    """Compare two systems by the paired bootstrap over queries (Efron and Tibshirani 1993, chapter 16).

    values, others: a measure of each query by either system. The interval is the percentile one; p is
    two-sided: how often the mean of resampled differences, shifted to have mean 0, lies as far from 0.
    Raises ValueError when they are not of the same queries.
    """
    if len(values) != len(others) or not len(values):
        raise ValueError(f"a pair for each query is needed, got {len(values)} and {len(others)} values")
    differences = np.asarray(values, np.float64) - np.asarray(others, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(differences), size=(RESAMPLES, len(differences)))
    means, mean = differences[draws].mean(axis=1), differences.mean()
    low, high = np.percentile(means, [2.5, 97.5])
    as_far = np.count_nonzero(np.abs(means - mean) >= abs(mean) - 1e-12)
    return Difference(
        value=float(np.mean(values)),
        other=float(np.mean(others)),
        low=float(low),
        high=float(high),
        p=(as_far + 1) / (RESAMPLES + 1),
        queries=len(differences),
    )
