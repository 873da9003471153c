"""Cross-entropy over all items, or over a sample of them that stands for all."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding

_POPULARITY = 0.5


@dataclass(frozen=True)
class Sample:
    """Items drawn to stand for all: `items` int64 [k], numbers from 1.

    `log_expected`: float32 [k], the logarithm of how often each was to be expected among the k.
    """

    items: Tensor
    log_expected: Tensor


def full_loss(states: Tensor, vectors: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy, a scalar. states: float32 [m, dim]; vectors: [items + 1, dim], row 0
    the padding's; targets: int64 [m], numbers from 1."""
    return cross_entropy(states @ vectors[1:].T, targets - 1)


def sampled_loss(states: Tensor, vectors: Tensor, targets: Tensor, sample: Sample) -> Tensor:
    """Return the mean cross-entropy with the sum over all items estimated from `sample`, a scalar.

    Each sampled logit is lowered by its log expected count, so that the sum of exponentials is unbiased
    (Bengio and Senécal, 2008); the target's own is certain and is not lowered. A sampled item that is the
    target does not count against itself. Arguments as in `full_loss`.
    """
    own = (states * embedding(targets, vectors)).sum(dim=1, keepdim=True)
    others = states @ embedding(sample.items, vectors).T - sample.log_expected
    others = others.masked_fill(sample.items[None, :] == targets[:, None], float("-inf"))
    return cross_entropy(torch.cat([own, others], dim=1), targets.new_zeros(len(targets)))


class Sampler:
    """Draws items in proportion to the square root of how often they come in training, plus one."""

    def __init__(self, counts: NDArray[np.int64], size: int) -> None:
        """counts: int64 [items], of items 1 … n; `size` is how many are drawn."""
        shares = (counts + 1.0) ** _POPULARITY
        self._shares, self._size = shares / shares.sum(), size
        self._cumulated = np.cumsum(self._shares)

    def draw(self, random: np.random.Generator) -> Sample:
        """Return `size` items, drawn with replacement."""
        places = np.searchsorted(self._cumulated, random.random(self._size) * self._cumulated[-1])
        log_expected = np.log(self._shares[places] * self._size).astype(np.float32)
        return Sample(torch.from_numpy(places + 1), torch.from_numpy(log_expected))
