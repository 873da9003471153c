"""Figures of ranks: the mean over what was asked, with its interval."""

import numpy as np
from numpy.typing import NDArray

from training.evaluate.figures import Figure
from training.sequence.protocol import CUTS, Ranks, gains

_TWO_SIDED_95 = 1.96


def figures_of(name: str, ranks: Ranks) -> dict[str, Figure]:
    """Return "<name>/hr@k" and "<name>/ndcg@k" among all items, and "…_new" of them among new ones."""
    among_new = figures_of_ranks(name, ranks.among_new)
    return figures_of_ranks(name, ranks.among_all) | {f"{key}_new": value for key, value in among_new.items()}


def figures_of_ranks(name: str, ranks: NDArray[np.int64]) -> dict[str, Figure]:
    """Return "<name>/hr@k" and "<name>/ndcg@k" of ranks, int64 [n]."""
    return {
        f"{name}/{measure}@{cut}": _figure(values)
        for cut in CUTS
        for measure, values in gains(ranks, cut).items()
    }


def _figure(values: NDArray[np.float64]) -> Figure:
    """The mean and its 95 % interval by the central limit theorem: there are thousands of values."""
    mean = float(values.mean())
    half = _TWO_SIDED_95 * float(values.std()) / np.sqrt(len(values))
    return Figure(mean, max(mean - half, 0.0), mean + half, len(values))
