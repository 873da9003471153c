"""How far a text is from all that training knew: the distance that tells what is out of scope."""

import torch
from torch import Tensor, nn

_SHRINKAGE = 0.1  # of the covariance towards its mean variance: some groups are smaller than it is wide


class Familiarity(nn.Module):
    """Mahalanobis distance to the nearest group of known texts, all sharing one covariance.

    Lee et al. 2018, arXiv 1807.03888, on the last features. Until it is fitted the distance is the norm.
    """

    means: Tensor  # [groups, width], whitened
    whitening: Tensor  # [width, width]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(1, width))
        self.register_buffer("whitening", torch.eye(width))

    def forward(self, features: Tensor) -> Tensor:
        """float32 [batch, width] features → [batch, 1] distances."""
        # No matrix product: those are quantised in the int8 graph, and distances are compared with a bound.
        whitened = torch.einsum("bi,ij->bj", features, self.whitening)
        squares = (whitened.unsqueeze(1) - self.means).square().sum(dim=-1)
        return squares.min(dim=-1, keepdim=True).values.sqrt()

    @torch.no_grad()
    def fit(self, features: Tensor, groups: Tensor) -> None:
        """Take the groups' means and the covariance within them.

        `features`: float32 [n, width] of texts in scope; `groups`: int64 [n], any numbers.
        """
        kinds, place = groups.unique(return_inverse=True)
        totals = torch.zeros(len(kinds), features.shape[1]).index_add_(0, place, features)
        means = totals / place.bincount().unsqueeze(-1)
        centred = features - means[place]
        covariance = centred.T @ centred / len(features)
        ridge = _SHRINKAGE * covariance.diagonal().mean()
        precision = torch.linalg.inv(covariance + ridge * torch.eye(features.shape[1]))
        self.whitening = torch.linalg.cholesky(precision)
        self.means = means @ self.whitening
