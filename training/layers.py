"""An encoder run in two parts: what lies below the trained layers need be computed only once for a text."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BertModel


def lower_states(encoder: BertModel, frozen: int, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the states as they leave the first `frozen` layers: float32 [batch, tokens, dim].

    Without gradients and without dropout, as layers do that are not trained.
    """
    layers = list(encoder.encoder.layer[:frozen])
    for part in (encoder.embeddings, *layers):
        part.eval()
    with torch.no_grad():
        return run_layers(layers, encoder.embeddings(input_ids=input_ids), attention_mask)


def narrow(wanted: bool) -> AbstractContextManager[None]:
    """Compute matrix products in bfloat16 where `wanted`: half the time on a processor that has them."""
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted)


def upper_layers(encoder: BertModel, frozen: int) -> list[nn.Module]:
    """Return the layers above the first `frozen` ones, adapted in place where they are."""
    return list(encoder.encoder.layer[frozen:])


def run_layers(layers: Sequence[nn.Module], states: Tensor, attention_mask: Tensor) -> Tensor:
    """Return `states` after `layers`; `attention_mask`: int64 [batch, tokens], 0 for padding."""
    hidden = torch.finfo(states.dtype).min * (1 - attention_mask)[:, None, None, :].to(states.dtype)
    for layer in layers:
        output: Any = layer(states, hidden)
        states = cast(Tensor, output[0] if isinstance(output, tuple) else output)
    return states
