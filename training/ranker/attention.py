"""Target attention: what of the user's history matters for this candidate."""

import torch
from torch import Tensor, nn

from services.ranking.history_pairs import PAIRS

HIDDEN, WIDTH = 16, 8
_PRESENT = PAIRS.index("present")


class HistoryAttention(nn.Module):
    """Pools a user's history anew for every candidate.

    Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018 (arXiv 1706.06978): an
    activation unit looks at the candidate and one product of the history, and its output weighs that
    product's vector in a sum. The weights are no softmax, so that ten products of a kind say more than one.
    Both look at relations (`services.ranking.history_pairs`), not at ids: a product that was never clicked
    is related to what was.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, pairs: Tensor) -> None:
        """`pairs`: uint8 [n, P, h], the training set, for the statistics of the relations."""
        super().__init__()
        some = pairs[:: max(1, len(pairs) // 5000)].transpose(1, 2)
        related = some[some[..., _PRESENT] > 0].float()
        if not len(related):
            related = torch.zeros(1, pairs.shape[1])
        deviation, mean = torch.std_mean(related, dim=0, correction=0)
        varied = deviation > 1e-4
        self.register_buffer("mean", mean[:, None])
        self.register_buffer("scale", torch.where(varied, 1 / deviation.clamp(min=1e-4), 0.0)[:, None])
        relations = pairs.shape[1]
        self.hidden = nn.Conv1d(relations, HIDDEN, 1)
        self.activation = nn.Conv1d(HIDDEN, WIDTH, 1)
        self.values = nn.Conv1d(relations, WIDTH, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        """Relations float32 [n, P, h] → what of the history speaks for each candidate, float32 [n, WIDTH]."""
        relations = (pairs - self.mean) * self.scale
        weights = torch.sigmoid(self.activation(torch.relu(self.hidden(relations))))
        pooled = (weights * self.values(relations) * pairs[:, _PRESENT : _PRESENT + 1]).sum(dim=2)
        return torch.sign(pooled) * torch.log1p(pooled.abs())  # a long history must not drown the features
