"""The contrastive loss and what must not count as a negative in it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def info_nce(
    queries: Tensor, passages: Tensor, relevant: Tensor, *, temperature: float, symmetric: bool
) -> Tensor:
    """Mean InfoNCE over a batch, scalar (van den Oord et al. 2018, arXiv 1807.03748).

    `queries`, `passages`: float32 [n, dim], L2-normalised rows; passage i answers query i.
    `relevant`: bool [n, n], true where passage j answers query i too: it is then no negative of it.
    With `symmetric` each passage also has to find its query among the batch's.
    """
    own = torch.eye(len(queries), dtype=torch.bool, device=queries.device)
    similarity = queries @ passages.T / temperature
    similarity = similarity.masked_fill(relevant & ~own, float("-inf"))
    targets = torch.arange(len(queries), device=queries.device)
    loss = functional.cross_entropy(similarity, targets)
    if symmetric:
        loss = (loss + functional.cross_entropy(similarity.T, targets)) / 2
    return loss


def relevance_mask(positives: Sequence[frozenset[str]], products: Sequence[str]) -> Tensor:
    """bool [n, n]: whether product j is among the products that answer query i."""
    return torch.tensor([[product in answers for product in products] for answers in positives])
