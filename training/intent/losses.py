"""What the network is taught: three tasks, weighed together."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.intent.network import Logits
from training.intent.tagging import IGNORED

NO_INTENT = -1
NO_CATEGORY = -1
NO_SENTIMENT = -1


@dataclass(frozen=True)
class Labels:
    """int64 labels: `intent` [b] (NO_INTENT where nobody told it), `category` [b] (NO_CATEGORY for none),
    `slots` [b, tokens] (or IGNORED), `sentiment` [b] (NO_SENTIMENT where nobody told it)."""

    intent: Tensor
    category: Tensor
    slots: Tensor
    sentiment: Tensor


@dataclass(frozen=True)
class Weights:
    """How much each task counts, and how far a label is smoothed."""

    intent: float = 1.0
    category: float = 1.0
    no_category: float = 0.3
    slots: float = 1.0
    sentiment: float = 1.0
    smoothing: float = 0.05


def multi_task_loss(logits: Logits, labels: Labels, weights: Weights) -> Tensor:
    """Return the weighted sum of the tasks' cross entropies, a scalar.

    A query of no known category teaches the category head to prefer none (outlier exposure, Hendrycks et
    al. 2019, arXiv 1812.04606): its target is the uniform distribution.
    """
    intent = _intent(logits.intent, labels.intent, weights)
    slots = functional.cross_entropy(logits.slots.flatten(0, 1), labels.slots.flatten(), ignore_index=IGNORED)
    category = _category(logits.category, labels.category, weights)
    sentiment = _sentiment(logits.sentiment, labels.sentiment, weights)
    return weights.intent * intent + weights.slots * slots + category + sentiment


def _intent(logits: Tensor, labels: Tensor, weights: Weights) -> Tensor:
    total = functional.cross_entropy(
        logits, labels, label_smoothing=weights.smoothing, ignore_index=NO_INTENT, reduction="sum"
    )
    return total / (labels != NO_INTENT).sum().clamp(min=1)


def _category(logits: Tensor, labels: Tensor, weights: Weights) -> Tensor:
    known = labels != NO_CATEGORY
    each = functional.cross_entropy(
        logits, labels.clamp(min=0), label_smoothing=weights.smoothing, reduction="none"
    )
    uniform = -functional.log_softmax(logits, dim=-1).mean(dim=-1)
    return torch.where(known, weights.category * each, weights.no_category * uniform).mean()


def _sentiment(logits: Tensor, labels: Tensor, weights: Weights) -> Tensor:
    """Only the texts that have a sentiment count, so that queries do not thin out what reviews teach."""
    each = functional.cross_entropy(
        logits, labels, label_smoothing=weights.smoothing, reduction="sum", ignore_index=NO_SENTIMENT
    )
    return weights.sentiment * each / (labels != NO_SENTIMENT).sum().clamp(min=1)
