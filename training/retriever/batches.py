"""Batches of training pairs, the same for the same seed and epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from training.retriever.contrast import relevance_mask
from training.retriever.embedder import tokenise
from training.retriever.sources import Example, Source


@dataclass(frozen=True)
class Batch:
    """n pairs: token ids and masks int64 [n, tokens]; `relevant` bool [n, n] as `info_nce` takes it."""

    queries: dict[str, Tensor]
    passages: dict[str, Tensor]
    relevant: Tensor


@dataclass(frozen=True)
class PairSampler:
    """Draws pairs from sources by their shares; the same epoch is the same each time."""

    sources: Sequence[Source]
    tokenizer: Tokenizer
    query_prefix: str
    passage_prefix: str
    batch_size: int
    batches_per_epoch: int
    query_tokens: int
    passage_tokens: int
    seed: int

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, from 0."""
        drawn = self.draw(self.batches_per_epoch * self.batch_size, epoch)
        random = np.random.default_rng([self.seed, epoch, 1])
        for start in range(0, len(drawn), self.batch_size):
            yield self._batch(drawn[start : start + self.batch_size], random)

    def draw(self, count: int, epoch: int) -> list[tuple[Source, Example]]:
        """`count` examples in random order; no example of a source twice before all of it came once."""
        random = np.random.default_rng([self.seed, epoch])
        shares = np.array([source.share for source in self.sources])
        counts = random.multinomial(count, shares / shares.sum())
        pairs = [
            (source, source.examples[row])
            for source, wanted in zip(self.sources, counts, strict=True)
            for row in _rows(len(source.examples), int(wanted), random)
        ]
        return [pairs[place] for place in random.permutation(count)]

    def _batch(self, pairs: Sequence[tuple[Source, Example]], random: np.random.Generator) -> Batch:
        products = [str(random.choice(example.drawn)) for _, example in pairs]
        passages = [
            self._prefix(source) + str(random.choice(source.passages[product]))
            for (source, _), product in zip(pairs, products, strict=True)
        ]
        queries = [self.query_prefix + example.query for _, example in pairs]
        return Batch(
            tokenise(self.tokenizer, queries, self.query_tokens),
            tokenise(self.tokenizer, passages, self.passage_tokens),
            relevance_mask([example.answers for _, example in pairs], products),
        )

    def _prefix(self, source: Source) -> str:
        return self.query_prefix if source.of_queries else self.passage_prefix


def _rows(count: int, wanted: int, random: np.random.Generator) -> list[int]:
    rounds = -(-wanted // count)
    order = (
        np.concatenate([random.permutation(count) for _ in range(rounds)]) if rounds else np.array([], int)
    )
    return [int(row) for row in order[:wanted]]
