"""Q4_0, the 4-bit block format of ggml: 32 weights share one half-precision scale."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])


def dequantise(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Return the weights of `blocks` ([..., n] of BLOCK_DTYPE) as float32 [..., 32 n].

    Byte j of a block holds weight j in its low and weight j + 16 in its high nibble; a nibble q stands for
    (q - 8) · scale.
    """
    nibbles = blocks["nibbles"]
    weights = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=-1).astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[..., None]
    return weights.reshape(*blocks.shape[:-1], -1)
