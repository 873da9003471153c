"""Batches that have passed the layers which are not trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from transformers import BertModel

from training.intent.batches import Batch, Batcher
from training.intent.example import Example
from training.intent.losses import Labels
from training.intent.recipe import Recipe
from training.layers import lower_states, narrow


@dataclass(frozen=True)
class EnteredBatch:
    """`states`: [batch, tokens, dim] below the trained layers, float32, or bfloat16 where the recipe says so;
    ids and mask: int64 [batch, tokens]."""

    input_ids: Tensor
    states: Tensor
    attention_mask: Tensor
    labels: Labels


class EnteredBatches:
    """The batches of every epoch, the same ones each time an epoch is asked for.

    A recipe without fresh variations keeps them after the first epoch: most of a step's time is spent in the
    frozen layers. Later epochs take them in another order.
    """

    def __init__(
        self,
        batcher: Batcher,
        encoder: BertModel,
        frozen: int,
        *,
        examples: Sequence[Example],
        recipe: Recipe,
        seed: int,
    ) -> None:
        self._batcher, self._encoder, self._frozen = batcher, encoder, frozen
        self._examples, self._recipe, self._seed = examples, recipe, seed * 1000
        self._kept: list[EnteredBatch] = []

    def epoch(self, number: int) -> Iterator[EnteredBatch]:
        """Yield the batches of epoch `number`, from 0."""
        if self._recipe.fresh:
            yield from map(self._enter, self._drawn(number))
            return
        if not self._kept:
            self._kept = [self._enter(batch) for batch in self._drawn(0)]
        yield from Random(self._seed + number).sample(self._kept, len(self._kept))

    def _drawn(self, epoch: int) -> Iterator[Batch]:
        return self._batcher.epoch(self._examples, self._recipe, self._seed + epoch)

    def _enter(self, batch: Batch) -> EnteredBatch:
        with narrow(self._recipe.bfloat16):
            states = lower_states(self._encoder, self._frozen, batch.input_ids, batch.attention_mask)
        kept = states.to(torch.bfloat16) if self._recipe.bfloat16 else states
        return EnteredBatch(batch.input_ids, kept, batch.attention_mask, batch.labels)
