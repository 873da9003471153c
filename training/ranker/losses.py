"""What the ranker learns from: clicks and purchases over everything shown, and judged relevance."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid


@dataclass(frozen=True)
class Labels:
    """Labels of n rows, float32 [n] each; NaN where a row has none.

    `clicks` and `purchases` are 0 or 1 and belong to rows that were shown at `positions` (int64 [n], from 1;
    0 when not shown); `grades` are relevance from 0 to 1.
    """

    positions: Tensor
    clicks: Tensor
    purchases: Tensor
    grades: Tensor

    def rows(self, chosen: Tensor) -> "Labels":
        """Return the labels of the `chosen` rows, int64 [m]."""
        return Labels(
            self.positions[chosen], self.clicks[chosen], self.purchases[chosen], self.grades[chosen]
        )


def multi_task_loss(logits: dict[str, Tensor], log_propensities: Tensor, labels: Labels) -> Tensor:
    """Return the sum of the tasks' losses, a scalar; a task without labelled rows adds 0.

    Purchases are learned over everything shown, as P(click) · P(purchase | click) (ESMM: Ma et al., SIGIR
    2018), so that conversion is not learned from the clicked rows alone and then asked about the others.
    `log_propensities`: float32 [n], of being seen at the row's position.
    """
    shown = labels.positions > 0
    log_click = logsigmoid(logits["click"]) + log_propensities
    log_purchase = log_click + logsigmoid(logits["conversion"])
    loss = _cross_entropy(log_click[shown], labels.clicks[shown])
    loss = loss + _cross_entropy(log_purchase[shown], labels.purchases[shown])
    judged = ~torch.isnan(labels.grades)
    if judged.any():
        loss = loss + binary_cross_entropy_with_logits(logits["relevance"][judged], labels.grades[judged])
    return loss


def _cross_entropy(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    if not len(labels):
        return log_probabilities.new_zeros(())
    logs = log_probabilities.clamp(max=-1e-6)  # a certain prediction would have infinite loss when wrong
    return -(labels * logs + (1 - labels) * torch.log(-torch.expm1(logs))).mean()
