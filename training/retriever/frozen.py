"""Texts whose way through the frozen layers is computed once, so that validating costs little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertModel

from training.layers import lower_states, run_layers, upper_layers
from training.retriever.embedder import ENCODING_BATCH, tokenise


@dataclass(frozen=True)
class _Part:
    rows: list[int]
    states: Tensor  # float32 [batch, tokens, dim], after the frozen layers
    mask: Tensor  # int64 [batch, tokens]


class FrozenTexts:
    """Texts as they leave the first `frozen` layers of an encoder; `embed` runs the layers above.

    The encoder must keep those layers; the ones above may be trained, adapted or replaced in place.
    """

    def __init__(
        self, encoder: BertModel, frozen: int, tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int
    ) -> None:
        self._encoder, self._frozen, self._count = encoder, frozen, len(texts)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        starts = range(0, len(order), ENCODING_BATCH)
        self._parts = [
            self._enter(order[start : start + ENCODING_BATCH], tokenizer, texts, max_tokens)
            for start in starts
        ]

    def embed(self) -> NDArray[np.float32]:
        """float32 [texts, dim], L2-normalised rows, as `Embedder` would give."""
        embeddings = np.empty((self._count, self._encoder.config.hidden_size), dtype=np.float32)
        with torch.no_grad():
            for part in self._parts:
                states = run_layers(upper_layers(self._encoder, self._frozen), part.states, part.mask)
                weights = part.mask.unsqueeze(-1).to(states.dtype)
                mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
                embeddings[part.rows] = functional.normalize(mean, dim=-1).numpy()
        return embeddings

    def _enter(self, rows: list[int], tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> _Part:
        tokens = tokenise(tokenizer, [texts[row] for row in rows], max_tokens)
        mask = tokens["attention_mask"]
        return _Part(rows, lower_states(self._encoder, self._frozen, tokens["input_ids"], mask), mask)
