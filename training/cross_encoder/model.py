"""The network that reads a query and a product together."""

from torch import Tensor, nn
from transformers import BertModel


class CrossEncoder(nn.Module):
    """An encoder's lower layers with one linear head on the mean of their states; `forward` is served."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        # The encoder's states share one large direction, which would drown what tells pairs apart.
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.head = nn.Linear(width, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """int64 [pairs, tokens] ids and mask → float32 [pairs], a logit: larger answers better."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        score: Tensor = self.head(self.norm(mean)).squeeze(-1)
        return score


def keep_lower(encoder: BertModel, layers: int) -> BertModel:
    """The encoder with its lowest `layers` layers alone, changed in place: half as many cost half."""
    encoder.encoder.layer = encoder.encoder.layer[:layers]
    encoder.config.num_hidden_layers = len(encoder.encoder.layer)
    return encoder
