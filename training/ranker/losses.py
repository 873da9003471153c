"""What the ranker learns from: clicks and purchases over everything shown, and judged relevance."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

LISTWISE = 0.2  # weight of the order beside the level of relevance
_LEAST_LOG = -12.0


@dataclass(frozen=True)
class Labels:
    """Labels of n rows, float32 [n] each; NaN where a row has none.

    `requests` (int64 [n], ascending) are the numbers of the rows' requests. `clicks` and `purchases` are 0 or
    1 and belong to rows that were shown at `positions` (int64 [n], from 1; 0 when not shown); `grades` are
    relevance from 0 to 1.
    """

    requests: Tensor
    positions: Tensor
    clicks: Tensor
    purchases: Tensor
    grades: Tensor

    def rows(self, chosen: Tensor) -> "Labels":
        """Return the labels of the `chosen` rows, int64 [m]."""
        return Labels(*(values[chosen] for values in vars(self).values()))


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
        relevance, grades = logits["relevance"][judged], labels.grades[judged]
        loss = loss + binary_cross_entropy_with_logits(relevance, grades)
        loss = loss + LISTWISE * listwise_loss(relevance, grades, labels.requests[judged])
    return loss


def listwise_loss(logits: Tensor, grades: Tensor, requests: Tensor) -> Tensor:
    """Return the mean over requests of the cross-entropy of their grades, as shares, a scalar.

    ListNet (Cao et al., ICML 2007) over the probabilities, not the logits: then the best order and the best
    level are reached at once (Bai et al., "Regression Compatible Listwise Objectives for Calibrated
    Ranking", CIKM 2023, arXiv 2211.01494). Requests without a relevant row say nothing about the order.
    `logits`, `grades`: float32 [n]; `requests`: int64 [n], their numbers, ascending.
    """
    logs = logsigmoid(logits).clamp(min=_LEAST_LOG)
    numbers, count = _consecutive(requests)
    whole = logs.new_zeros(count).index_add(0, numbers, logs.exp()).log()
    total = grades.new_zeros(count).index_add(0, numbers, grades)
    shares = grades / total[numbers].clamp(min=1e-9)
    loss: Tensor = (shares * (whole[numbers] - logs)).sum() / (total > 0).sum().clamp(min=1)
    return loss


def _consecutive(requests: Tensor) -> tuple[Tensor, int]:
    distinct, numbers = torch.unique_consecutive(requests, return_inverse=True)
    return numbers, len(distinct)


def _cross_entropy(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    if not len(labels):
        return log_probabilities.new_zeros(())
    logs = log_probabilities.clamp(max=-1e-6)  # a certain prediction would have infinite loss when wrong
    return -(labels * logs + (1 - labels) * torch.log(-torch.expm1(logs))).mean()
