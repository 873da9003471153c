"""Pseudo-relevance feedback: products near to what was found best are likely to be wanted too."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

# The best on 400 validation queries of the demo shop: nDCG@10 .876 without, .883 with .5, .884 with .7 and 1.
# On esci_us, untrained encoder: with the best 3 or 8 instead of 5 nDCG@10 .680, .675, instead of .682.
WEIGHT = 0.7
BEST = 5


def direction(best: Vectors, scores: Vectors, mean: Vectors) -> Vectors:
    """Return where the best products lie, seen from the middle of the catalogue: float32 [dim].

    best: float32 [m, dim], their embeddings; scores: float32 [m], their fused scores; mean: float32 [dim], of
    all embeddings. Each product counts by its softmax: one that stands out decides alone. This is Rocchio's
    relevance feedback (1971) without its query term, which fusion adds, with the catalogue as what is not
    relevant; without that mean nDCG@10 is .672 instead of .682. Its length says nothing: standardise the
    inner products with it.
    """
    weights = np.exp(scores - scores.max()).astype(np.float32)
    weights /= weights.sum()
    towards: Vectors = weights @ best - mean
    return towards
