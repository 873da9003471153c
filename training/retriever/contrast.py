"""The losses of the bi-encoder, and what must not count as a negative in them."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional


def info_nce(
    queries: Tensor,
    passages: Tensor,
    relevant: Tensor,
    *,
    temperature: float,
    symmetric: bool,
    multi_positive: bool = False,
) -> Tensor:
    """Mean InfoNCE over a batch, scalar (van den Oord et al. 2018, arXiv 1807.03748).

    `queries`: float32 [n, dim], `passages`: float32 [m, dim], m ≥ n, L2-normalised rows; passage i answers
    query i, those from n on are hard negatives. `relevant`: bool [n, m], true where passage j answers query i
    too: it is then no negative of it, and with `multi_positive` a positive like its own, each against the
    negatives alone (as Khosla et al. 2020, arXiv 2004.11362, without setting positives against each other).
    With `symmetric` each of the first n passages also has to find its query among the batch's.
    """
    similarity = queries @ passages.T / temperature
    positive = relevant | torch.eye(*relevant.shape, dtype=torch.bool, device=relevant.device)
    loss = _contrast(similarity, positive, multi_positive)
    if symmetric:
        own = len(queries)
        back = _contrast(similarity[:, :own].T, positive[:, :own].T, multi_positive)
        loss = (loss + back) / 2
    return loss


def listwise_divergence(similarity: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Mean KL divergence of the encoder's listwise distribution from the teacher's, scalar.

    `similarity`: float32 [n, m], cosines; `teacher`: float32 [n, m], the teacher's logits, NaN where it was
    not asked. Each row is a list of those it was asked about; rows of fewer than two say nothing. As in
    Ren et al. 2021 (RocketQAv2, arXiv 2110.07367), with a teacher that does not move.
    """
    known = ~teacher.isnan()
    taught = known.sum(dim=1) > 1
    if not taught.any():
        return similarity.sum() * 0
    known, similarity, teacher = known[taught], similarity[taught], teacher[taught]
    wanted = functional.softmax(teacher.masked_fill(~known, float("-inf")), dim=1)
    found = functional.log_softmax((similarity / temperature).masked_fill(~known, float("-inf")), dim=1)
    each = functional.kl_div(found.masked_fill(~known, 0.0), wanted, reduction="none")
    return each.masked_fill(~known, 0.0).sum(dim=1).mean()


def matryoshka(
    loss: Callable[[Tensor, Tensor], Tensor], queries: Tensor, passages: Tensor, dimensions: Iterable[int]
) -> Tensor:
    """Mean of `loss` over the embeddings whole and cut to their first numbers, scalar.

    Kusupati et al. 2022, arXiv 2205.13147, all dimensions of the same weight. `queries`, `passages`:
    float32 [·, dim], L2-normalised rows; what is cut is normalised again, as `truncate` does for serving.
    """
    losses = [loss(queries, passages)]
    losses += [loss(truncate(queries, each), truncate(passages, each)) for each in dimensions]
    return torch.stack(losses).mean()


def truncate(embeddings: Tensor, dimension: int) -> Tensor:
    """The first `dimension` numbers of each row, L2-normalised again: float32 [n, dimension]."""
    return functional.normalize(embeddings[:, :dimension], dim=-1)


def relevance_mask(positives: Sequence[frozenset[str]], products: Sequence[str]) -> Tensor:
    """bool [n, m]: whether product j is among the products that answer query i."""
    return torch.tensor([[product in answers for product in products] for answers in positives])


def _contrast(similarity: Tensor, positive: Tensor, multi_positive: bool) -> Tensor:
    """Cross-entropy of the diagonal, or of every positive, against what is no positive of the row."""
    if not multi_positive:
        own = torch.eye(*positive.shape, dtype=torch.bool, device=positive.device)
        targets = torch.arange(len(similarity), device=similarity.device)
        return functional.cross_entropy(similarity.masked_fill(positive & ~own, float("-inf")), targets)
    negatives = similarity.masked_fill(positive, float("-inf")).logsumexp(dim=1, keepdim=True)
    # -log(e^p / (e^p + Σ e^n)) of each positive p
    losses = functional.softplus(negatives - similarity).masked_fill(~positive, 0.0)
    return (losses.sum(dim=1) / positive.sum(dim=1)).mean()
