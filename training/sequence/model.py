"""SASRec, as trained and as exported."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """How large the model is; `longest` is the most items of a history that it reads."""

    items: int
    dimension: int = 64
    blocks: int = 2
    heads: int = 2
    longest: int = 50
    dropout: float = 0.5


class SASRec(nn.Module):
    """Self-attentive sequential recommendation (Kang and McAuley, ICDM 2018, arXiv 1808.09781).

    Learned positions counted from the oldest item read, causal attention, and one table of item embeddings
    for what is read and what is predicted. Padding stands behind the items, where causal attention never
    looks. `forward` returns the state after each item, float32 [batch, tokens, dim]; its inner product with
    an item's embedding is the logit of that item coming next.
    """

    causal: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.items = nn.Embedding(shape.items + 1, shape.dimension, padding_idx=0)
        self.positions = nn.Embedding(shape.longest, shape.dimension)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(shape.dimension)
        future = torch.full((shape.longest, shape.longest), float("-inf")).triu(1)
        self.register_buffer("causal", future, persistent=False)
        for table in (self.items, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        with torch.no_grad():
            self.items.weight[0].zero_()

    def forward(self, items: Tensor) -> Tensor:
        """Item numbers int64 [batch, tokens], oldest first, then 0s → states float32 [batch, tokens, dim]."""
        tokens = items.shape[1]
        states = self.items(items) * self.shape.dimension**0.5 + self.positions.weight[:tokens]
        states = self.drop(states)
        for block in self.blocks:
            states = block(states, self.causal[:tokens, :tokens])
        result: Tensor = self.norm(states)
        return result

    def item_vectors(self) -> Tensor:
        """The embeddings of items 1 … n: float32 [n, dim]."""
        return self.items.weight[1:]


class _Block(nn.Module):
    """Attention and a pointwise network, each normalised before and added to what it read."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dimension = shape.dimension
        self.heads = shape.heads
        self.attention_norm, self.network_norm = nn.LayerNorm(dimension), nn.LayerNorm(dimension)
        self.mix = nn.Linear(dimension, 3 * dimension)
        self.out = nn.Linear(dimension, dimension)
        self.drop = nn.Dropout(shape.dropout)
        self.network = nn.Sequential(
            nn.Linear(dimension, dimension), nn.ReLU(), self.drop, nn.Linear(dimension, dimension)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States float32 [batch, tokens, dim]; mask float32 [tokens, tokens], −inf where not to look."""
        states = states + self.drop(self._attend(self.attention_norm(states), mask))
        result: Tensor = states + self.drop(self.network(self.network_norm(states)))
        return result

    def _attend(self, states: Tensor, mask: Tensor) -> Tensor:
        batch, tokens, dimension = states.shape
        mixed = self.mix(states).reshape(batch, tokens, 3, self.heads, dimension // self.heads)
        queries, keys, values = mixed.permute(2, 0, 3, 1, 4).unbind(0)
        scores = queries @ keys.transpose(2, 3) / (dimension // self.heads) ** 0.5 + mask
        weights = self.drop(torch.softmax(scores, dim=-1))
        result: Tensor = self.out((weights @ values).transpose(1, 2).reshape(batch, tokens, dimension))
        return result


class ServedSequence(nn.Module):
    """What is exported: from a history to the user's vector."""

    def __init__(self, model: SASRec) -> None:
        super().__init__()
        self.model = model

    def forward(self, items: Tensor) -> Tensor:
        """Item numbers int64 [batch, tokens], oldest first, then 0s → user vectors float32 [batch, dim]."""
        last = (items > 0).sum(dim=1) - 1
        states = self.model(items)
        users: Tensor = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
        return users
