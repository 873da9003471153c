"""The graph that serves: token ids in, one unit vector per text out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

ENCODING_BATCH = 64


class Embedder(nn.Module):
    """Mean of the encoder's last states over the real tokens, L2-normalised.

    With a `dimension` only so many of its first numbers are kept, and normalised.
    """

    def __init__(self, encoder: nn.Module, dimension: int | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.dimension = dimension

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """int64 [batch, tokens] ids and mask → float32 [batch, dim], L2-normalised rows."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return functional.normalize(mean[:, : self.dimension], dim=-1)


def tokenise(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> dict[str, Tensor]:
    """int64 [texts, longest] `input_ids` and `attention_mask`; each text is cut to `max_tokens`.

    The cut keeps the closing special token, as the serving tokenizer's truncation does.
    """
    rows = [_cut(encoding.ids, max_tokens) for encoding in tokenizer.encode_batch(list(texts))]
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), width, dtype=torch.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def embed(
    embedder: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int
) -> NDArray[np.float32]:
    """float32 [texts, dim], L2-normalised rows, without gradients; like lengths share batches."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    rows: list[NDArray[Any]] = []
    with torch.no_grad():
        for start in range(0, len(order), ENCODING_BATCH):
            part = [texts[row] for row in order[start : start + ENCODING_BATCH]]
            rows.append(embedder(**tokenise(tokenizer, part, max_tokens)).numpy())
    embeddings = np.empty((len(texts), rows[0].shape[1]), dtype=np.float32)
    embeddings[order] = np.concatenate(rows)
    return embeddings


def _cut(ids: list[int], max_tokens: int) -> list[int]:
    return ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]]
