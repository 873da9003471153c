"""One encoder with three heads: the intent and the category of a query, and a tag for each token."""

from typing import NamedTuple

from torch import Tensor, nn

OUTPUTS = ("intent", "category", "slots")


class Logits(NamedTuple):
    """What the network says: `intent` [b, intents], `category` [b, categories], `slots` [b, tokens, tags]."""

    intent: Tensor
    category: Tensor
    slots: Tensor


class IntentNetwork(nn.Module):
    """Reads queries; `forward` is the graph that is served."""

    def __init__(
        self,
        encoder: nn.Module,
        width: int,
        *,
        intents: int,
        categories: int,
        tags: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        # The encoder's states share one large direction; without it the heads learn ten times as fast.
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.intent = nn.Linear(width, intents)
        self.category = nn.Linear(width, categories)
        self.slots = nn.Linear(width, tags)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Logits:
        """int64 [batch, tokens] ids and mask → float32 logits."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.read(states, attention_mask)

    def read(self, states: Tensor, attention_mask: Tensor) -> Logits:
        """The heads on the encoder's last states, float32 [batch, tokens, width]."""
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = self.dropout(self.norm((states * weights).sum(dim=1) / weights.sum(dim=1)))
        tokens = self.dropout(self.norm(states))
        return Logits(self.intent(mean), self.category(mean), self.slots(tokens))

    def heads(self) -> list[nn.Parameter]:
        """The parameters that no pretraining has seen."""
        return [
            parameter for head in (self.intent, self.category, self.slots) for parameter in head.parameters()
        ]
