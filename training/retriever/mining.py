"""Hard negatives: what the encoder, as it is at the start of an epoch, takes for answers and is none.

ANCE (Xiong et al. 2020, arXiv 2007.00808): the index the negatives come from is made anew with the model that
is being trained. Each epoch indexes another sample of each source's products, so that it costs seconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.base_models import BaseModel
from training.retriever.embedder import embed
from training.retriever.sources import Example, Source

Keys = list[list[str]]  # of each pair drawn, the products that are its hard negatives

DEPTH = 30  # negatives are drawn from so many of the best non-answers: the very best alone teach exceptions


@dataclass(frozen=True)
class Miner:
    """Finds `per_query` negatives for each pair of an epoch, and keeps them for a run that is resumed.

    What is mined depends on the weights at the start of the epoch, which a run resumed in the middle of it no
    longer has: so they are written to `folder`, under names that begin with `run`, until `forget`.
    """

    embedder: nn.Module
    base: BaseModel
    per_query: int
    pool: int  # products of a source that are indexed for an epoch
    query_tokens: int
    passage_tokens: int
    seed: int
    folder: Path
    run: str

    def mine(self, epoch: int, drawn: Sequence[tuple[Source, Example]]) -> Keys:
        """The negatives of each pair; none for pairs of sources whose passages are queries."""
        kept = self.folder / f"negatives-{self.run}-{epoch}.json"
        if kept.exists():
            read: Keys = json.loads(kept.read_text(encoding="utf-8"))
            return read
        mined = self._mine(epoch, drawn)
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(mined), encoding="utf-8")
        partial.replace(kept)
        return mined

    def forget(self) -> None:
        """Delete what was kept: the run is finished."""
        for kept in self.folder.glob(f"negatives-{self.run}-*.json"):
            kept.unlink()

    def _mine(self, epoch: int, drawn: Sequence[tuple[Source, Example]]) -> Keys:
        random = np.random.default_rng([self.seed, epoch, 2])
        mined: Keys = [[] for _ in drawn]
        was_training = self.embedder.training
        self.embedder.eval()
        for source in {id(each): each for each, _ in drawn if not each.of_queries}.values():
            rows = [row for row, (each, _) in enumerate(drawn) if each is source]
            found = self._of_source(source, [drawn[row][1] for row in rows], random)
            for row, keys in zip(rows, found, strict=True):
                mined[row] = keys
        self.embedder.train(was_training)
        return mined

    def _of_source(self, source: Source, examples: Sequence[Example], random: np.random.Generator) -> Keys:
        keys = sorted(source.passages)
        pool = [keys[row] for row in random.permutation(len(keys))[: self.pool].tolist()]
        passages = self._embed(
            self.base.passage_prefix, [source.passages[key][0] for key in pool], self.passage_tokens
        )
        queries = self._embed(self.base.query_prefix, [each.query for each in examples], self.query_tokens)
        return [
            self._drawn(example, pool, scores, random)
            for example, scores in zip(examples, queries @ passages.T, strict=True)
        ]

    def _drawn(
        self, example: Example, pool: Sequence[str], scores: NDArray[np.float32], random: np.random.Generator
    ) -> list[str]:
        best = (pool[row] for row in np.argsort(-scores, kind="stable").tolist())
        wrong = [key for key in best if key not in example.answers][:DEPTH]
        return [wrong[row] for row in random.permutation(len(wrong))[: self.per_query].tolist()]

    def _embed(self, prefix: str, texts: Sequence[str], max_tokens: int) -> NDArray[np.float32]:
        return embed(self.embedder, self.base.tokenizer, [prefix + text for text in texts], max_tokens)
