"""Batches of training pairs, the same for the same seed and epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.retriever.contrast import relevance_mask
from training.retriever.embedder import tokenise
from training.retriever.mining import Keys, Miner
from training.retriever.sources import Example, Source


@dataclass(frozen=True)
class Batch:
    """n queries and m ≥ n passages: their own, then their hard negatives.

    Token ids and masks int64 [·, tokens]; `relevant`: bool [n, m] as `info_nce` takes it; `listed`:
    bool [n, m], a query's own passage and its own hard negatives; the texts are without prefixes.
    """

    queries: dict[str, Tensor]
    passages: dict[str, Tensor]
    relevant: Tensor
    listed: Tensor
    query_texts: Sequence[str]
    passage_texts: Sequence[str]


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
    miner: Miner | None = None  # of hard negatives

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, from 0."""
        drawn = self.draw(self.batches_per_epoch * self.batch_size, epoch)
        hard = self.miner.mine(epoch, drawn) if self.miner else [[] for _ in drawn]
        random = np.random.default_rng([self.seed, epoch, 1])
        for start in range(0, len(drawn), self.batch_size):
            end = start + self.batch_size
            yield self._batch(drawn[start:end], hard[start:end], random)

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

    def _batch(
        self, pairs: Sequence[tuple[Source, Example]], hard: Keys, random: np.random.Generator
    ) -> Batch:
        own = [(source, str(random.choice(example.drawn))) for source, example in pairs]
        wrong = [(source, key) for (source, _), keys in zip(pairs, hard, strict=True) for key in keys]
        shown = [*own, *wrong]
        queries = [example.query for _, example in pairs]
        passages = [str(random.choice(source.passages[key])) for source, key in shown]
        prefixed = [self._prefix(source) + text for (source, _), text in zip(shown, passages, strict=True)]
        return Batch(
            tokenise(self.tokenizer, [self.query_prefix + each for each in queries], self.query_tokens),
            tokenise(self.tokenizer, prefixed, self.passage_tokens),
            relevance_mask([example.answers for _, example in pairs], [key for _, key in shown]),
            _lists(hard),
            queries,
            passages,
        )

    def _prefix(self, source: Source) -> str:
        return self.query_prefix if source.of_queries else self.passage_prefix


def _lists(hard: Keys) -> Tensor:
    """bool [n, n + negatives]: each query's own passage, and its own among the negatives."""
    owners = torch.tensor([row for row, keys in enumerate(hard) for _ in keys], dtype=torch.int64)
    rows = torch.arange(len(hard))
    return torch.cat([rows[:, None] == rows, rows[:, None] == owners], dim=1)


def _rows(count: int, wanted: int, random: np.random.Generator) -> list[int]:
    rounds = -(-wanted // count)
    order = (
        np.concatenate([random.permutation(count) for _ in range(rounds)]) if rounds else np.array([], int)
    )
    return [int(row) for row in order[:wanted]]
