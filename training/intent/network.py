"""One encoder with four heads: intent, category and sentiment of a text, and a tag for each token."""

from typing import NamedTuple

from torch import Tensor, nn

from services.intent.labels import Labels
from training.intent.familiarity import Familiarity

OUTPUTS = ("intent", "category", "slots", "sentiment", "distance")


class Logits(NamedTuple):
    """What the heads say: `intent` [b, intents], `category` [b, categories], `slots` [b, tokens, tags],
    `sentiment` [b, sentiments]."""

    intent: Tensor
    category: Tensor
    slots: Tensor
    sentiment: Tensor


class Reading(NamedTuple):
    """The logits, and `distance` [b, 1]: how far a text is from all that training knew."""

    intent: Tensor
    category: Tensor
    slots: Tensor
    sentiment: Tensor
    distance: Tensor


class IntentNetwork(nn.Module):
    """Reads texts; `forward` is the graph that is served."""

    def __init__(self, encoder: nn.Module, width: int, labels: Labels, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        # The encoder's states share one large direction; without it the heads learn ten times as fast.
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.intent = nn.Linear(width, len(labels.intent))
        self.category = nn.Linear(width, len(labels.category))
        self.slots = nn.Linear(width, len(labels.slots))
        self.sentiment = nn.Linear(width, len(labels.sentiment))
        self.familiarity = Familiarity(width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Reading:
        """int64 [batch, tokens] ids and mask → float32 logits and distances."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mean = self.features(states, attention_mask)
        return Reading(*self._heads(mean, states), self.familiarity(mean))

    def read(self, states: Tensor, attention_mask: Tensor) -> Logits:
        """The heads on the encoder's last states, float32 [batch, tokens, width]."""
        return self._heads(self.features(states, attention_mask), states)

    def features(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """Return what stands for a whole text: the normalised mean of its states, float32 [batch, width]."""
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean: Tensor = self.norm((states * weights).sum(dim=1) / weights.sum(dim=1))
        return mean

    def heads(self) -> list[nn.Parameter]:
        """The parameters that no pretraining has seen."""
        heads = (self.intent, self.category, self.slots, self.sentiment)
        return [parameter for head in heads for parameter in head.parameters()]

    def _heads(self, features: Tensor, states: Tensor) -> Logits:
        mean, tokens = self.dropout(features), self.dropout(self.norm(states))
        return Logits(self.intent(mean), self.category(mean), self.slots(tokens), self.sentiment(mean))
