"""Measures of one ranking, and how sure their mean is."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Gains = Mapping[str, float]  # product id → gain; a product without a judgment gains nothing
Measure = Callable[[Sequence[str], Gains], float]
FULL_GAIN = 1.0
RESAMPLES = 2000


def ndcg_at_10(ranking: Sequence[str], gains: Gains) -> float:
    """Normalised discounted cumulative gain of the first ten, gains taken as they are (Järvelin and
    Kekäläinen 2002); the ideal order is over all judged products, retrieved or not."""
    ideal = _dcg(sorted(gains.values(), reverse=True)[:10])
    return _dcg([gains.get(product, 0.0) for product in ranking[:10]]) / ideal if ideal else 0.0


def recall_at_100(ranking: Sequence[str], gains: Gains) -> float:
    """Share of the products of full gain that are among the first hundred."""
    wanted = {product for product, gain in gains.items() if gain >= FULL_GAIN}
    return len(wanted.intersection(ranking[:100])) / len(wanted) if wanted else 0.0


def mrr_at_10(ranking: Sequence[str], gains: Gains) -> float:
    """One over the rank of the first product of full gain, 0 beyond the tenth."""
    for rank, product in enumerate(ranking[:10], start=1):
        if gains.get(product, 0.0) >= FULL_GAIN:
            return 1 / rank
    return 0.0


MEASURES: Mapping[str, Measure] = {"ndcg@10": ndcg_at_10, "recall@100": recall_at_100, "mrr@10": mrr_at_10}


def overlap_at_10(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of the first ten that two rankings have in common; 1 when both are empty."""
    longest = max(len(one[:10]), len(other[:10]))
    return len(set(one[:10]).intersection(other[:10])) / longest if longest else 1.0


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean over queries."""
    sample: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
