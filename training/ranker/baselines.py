"""What the ranker is measured against, with the same inputs and outputs, so that each can be served too."""

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from training.ranker.dataset import Rows
from training.ranker.model import Normaliser

_LEAST = 1e-2
_PENALTY = 10.0


class FusedOrder(nn.Module):
    """Finds every candidate as good as any other, so that the fused order of retrieval stands."""

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Features float32 [n, F] → 1 for each candidate and task, float32 [n]."""
        ones = torch.ones_like(features[:, 0])
        return ones, ones.clone(), ones.clone()


class LinearRelevance(nn.Module):
    """A linear model of √relevance, which stands for every task: one score decides whatever the weights."""

    def __init__(self, rows: Rows) -> None:
        """Fit by least squares (ridge) to the judged ones of `rows`."""
        super().__init__()
        judged = torch.from_numpy(rows.features[~np.isnan(rows.grades)])
        self.normalise = Normaliser(judged)
        grades = rows.grades[~np.isnan(rows.grades)]
        fitted = Ridge(alpha=_PENALTY).fit(self.normalise(judged).numpy(), np.sqrt(grades))
        self.linear = nn.Linear(judged.shape[1], 1)
        self.linear.weight.data = torch.from_numpy(fitted.coef_[None]).float()
        self.linear.bias.data = torch.tensor([float(fitted.intercept_)])

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Features float32 [n, F] → the predicted relevance for each task, float32 [n]."""
        found = self.linear(self.normalise(features)).squeeze(1).clamp(min=_LEAST).square()
        return found, found.clone(), found.clone()
