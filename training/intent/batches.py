"""Batches of queries of like length, varied anew in each epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from runtime.folding import fold
from services.intent.labels import Labels
from training.intent.augmentation import varied
from training.intent.example import Example
from training.intent.losses import NO_CATEGORY, NO_INTENT, NO_SENTIMENT
from training.intent.losses import Labels as BatchLabels
from training.intent.open_world import invented
from training.intent.recipe import Recipe
from training.intent.tagging import IGNORED, tag
from training.intent.vocabulary import vocabulary

_POOL = 16  # batches sorted by length together: less padding, still mixed


@dataclass(frozen=True)
class Batch:
    """int64 [batch, tokens] `input_ids` and `attention_mask`, with labels."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: BatchLabels


class Batcher:
    """Turns examples into batches; `tokenizer` cuts texts but does not pad."""

    def __init__(self, tokenizer: Tokenizer, labels: Labels) -> None:
        self._tokenizer = tokenizer
        self._intents = _numbers(labels.intent) | {"": NO_INTENT}
        self._categories = _numbers(labels.category) | {"": NO_CATEGORY}
        self._sentiments = _numbers(labels.sentiment) | {"": NO_SENTIMENT}
        self._tags = _numbers(labels.slots)

    def epoch(self, examples: Sequence[Example], recipe: Recipe, seed: int) -> Iterator[Batch]:
        """Yield the examples varied and shuffled, the recipe's invented queries among them.

        The same seed gives the same batches.
        """
        random, words = Random(seed), vocabulary()
        drawn = [varied(example, random, words, scale=recipe.variation) for example in examples]
        drawn += [invented(random, words) for _ in range(recipe.invented(len(examples)))]
        random.shuffle(drawn)
        size = recipe.batch
        for pool in range(0, len(drawn), size * _POOL):
            ordered = self._by_tokens(drawn[pool : pool + size * _POOL])
            parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
            random.shuffle(parts)
            yield from map(self.batch, parts)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Return the examples as one batch, as they are."""
        encodings = self._tokenizer.encode_batch([fold(example.text) for example in examples])
        width = max(len(encoding.ids) for encoding in encodings)
        ids = torch.zeros(len(examples), width, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        slots = torch.full_like(ids, IGNORED)
        for row, (example, encoding) in enumerate(zip(examples, encodings, strict=True)):
            length = len(encoding.ids)
            ids[row, :length] = torch.tensor(encoding.ids)
            mask[row, :length] = 1
            slots[row, :length] = torch.tensor(self._tagged(example, encoding))
        return Batch(
            ids,
            mask,
            BatchLabels(
                torch.tensor([self._intents[each.intent] for each in examples]),
                torch.tensor([self._categories[each.category] for each in examples]),
                slots,
                torch.tensor([self._sentiments[each.sentiment] for each in examples]),
            ),
        )

    def _by_tokens(self, examples: Sequence[Example]) -> list[Example]:
        """Return them by how many tokens they have: of as many characters Chinese has twice as many."""
        encodings = self._tokenizer.encode_batch([fold(example.text) for example in examples])
        order = sorted(range(len(examples)), key=lambda row: len(encodings[row].ids))
        return [examples[row] for row in order]

    def _tagged(self, example: Example, encoding: Encoding) -> list[int]:
        return tag(encoding.offsets, example.spans, self._tags)


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
