"""Pseudo-relevance feedback: products near to what was found best are likely to be wanted too."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

# On esci_us, untrained encoder, fused: nDCG@10 .662 without, .682 with a weight of .7, .683 with 1;
# recall@100 .907, .927, .927. With the best 3 or 8 instead of 5: nDCG@10 .680, .675.
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
