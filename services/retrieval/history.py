"""A user's taste as one vector."""

import numpy as np
from numpy.typing import NDArray

_HALF_LIFE = 5.0


def taste(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the decayed mean of a history's embeddings, L2-normalised: float32 [dim].

    embeddings: float32 [n, dim], n ≥ 1, newest first; a product's weight halves every five places.
    """
    weights = np.float32(0.5) ** (np.arange(len(embeddings), dtype=np.float32) / np.float32(_HALF_LIFE))
    mean = (weights[:, None] * embeddings).sum(axis=0)
    direction: NDArray[np.float32] = mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9))
    return direction
