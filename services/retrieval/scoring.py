"""Scoring a pool of rows for a query: by words and by meaning, with feedback from the best of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.retrieval import feedback, fusion
from services.retrieval.answer import Channel, Pool
from services.retrieval.asking import LexicalMatch
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.inner_products import Vectors
from services.retrieval.rows import CatalogRows
from services.retrieval.scored import Scored


@dataclass(frozen=True)
class Rough:
    """Channels of many rows that are scored to be counted and chosen from: the dense scores standardised."""

    rows: Rows
    dense: Channel
    lexical: Channel
    fused: Channel

    @property
    def channels(self) -> Sequence[Channel]:
        """All of them."""
        return self.fused, self.dense, self.lexical

    def spread_out(self, n: int) -> Scores:
        """Return the fused scores of all rows, float32 [n], −inf where they were not computed."""
        scores = np.full(n, -np.inf, np.float32)
        scores[self.rows] = self.fused.scores
        return scores


class Scorer:
    """Scores rows as they are. Not thread-safe: changes of the rows and scoring must not overlap."""

    def __init__(self, rows: CatalogRows, lexical_weight: float, feedback_weight: float) -> None:
        self._rows = rows
        self._lexical_weight = lexical_weight
        self._feedback_weight = feedback_weight

    def lexical_weight(self, words: LexicalMatch) -> float:
        """Return what standardised lexical scores count beside dense ones for this query."""
        return self._lexical_weight * words.emphasis

    def score(
        self,
        words: LexicalMatch,
        embedding: Vectors,
        rows: Rows,
        beside: Sequence[Channel],
        towards: Vectors | None = None,
    ) -> Scored:
        """Score `rows` by every channel; the best of them give the direction of the feedback if none is."""
        dense, spread = self.dense(embedding, rows)
        lexical = words.scores[rows]
        weight = self.lexical_weight(words)
        fused = fusion.fuse(dense, lexical, weight, (spread, words.spread))
        towards = self._towards(fused, rows) if towards is None else towards
        fused = self._fed_back(fused, rows, towards)
        told = [channel.pooled(rows) for channel in beside]
        channels = [words.channel.pooled(rows), Channel("dense", dense), *told]
        standardised = fusion.standardise(dense, spread)
        return Scored(Pool(rows, fused, channels), lexical, standardised, towards)

    def rough(self, words: LexicalMatch, embedding: Vectors, rows: Rows) -> Rough:
        """Score `rows` by words and meaning before any feedback."""
        dense, spread = self.dense(embedding, rows)
        standardised = fusion.standardise(dense, spread)
        lexical = words.channel.pooled(rows)
        weight = np.float32(self.lexical_weight(words))
        fused = standardised + weight * fusion.standardise(lexical.scores, words.spread)
        return Rough(rows, Channel("dense", standardised), lexical, Channel("fused", fused))

    def _towards(self, fused: Scores, rows: Rows) -> Vectors:
        """Return where the best of `rows` lie, seen from the middle of the catalogue: float32 [dim]."""
        best, vectors = fusion.best(fused, feedback.BEST), self._rows.vectors
        if not self._feedback_weight or not best.size:
            return np.zeros(vectors.dimension, np.float32)
        return feedback.direction(vectors.at(rows[best]), fused[best], vectors.mean())

    def _fed_back(self, fused: Scores, rows: Rows, towards: Vectors) -> Scores:
        """Return the fused scores of `rows`, float32 [pool], with what the best say of the others."""
        if not self._feedback_weight or not fused.size:
            return fused
        near = fusion.standardise(*self.dense(towards, rows))
        fed_back: Scores = fused + np.float32(self._feedback_weight) * near
        return fed_back

    def dense(self, embedding: Vectors, rows: Rows) -> tuple[Scores, Spread]:
        """Return the exact scores of `rows` and the spread of all rows'."""
        scores = self._rows.vectors.scores(embedding, rows)
        complete = rows.size == len(self._rows)
        return scores, Spread.of(scores) if complete else self._rows.vectors.spread(embedding)
