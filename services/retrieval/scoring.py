"""Scoring a pool of rows for a query: by words and by meaning, then by what the best of them say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.retrieval import agreement as kinds
from services.retrieval import feedback, fusion
from services.retrieval.agreement import BEST, Agreement
from services.retrieval.answer import Channel, Pool
from services.retrieval.asking import LexicalMatch
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.inner_products import Vectors
from services.retrieval.rows import CatalogRows
from services.retrieval.scored import Said, Scored


@dataclass(frozen=True)
class Weights:
    """What counts how much beside standardised dense scores: words, feedback, and what the best agree on."""

    lexical: float = fusion.LEXICAL_WEIGHT
    feedback: float = feedback.WEIGHT
    agreement: float = kinds.WEIGHT


SERVED = Weights()


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

    def __init__(self, rows: CatalogRows, weights: Weights) -> None:
        self._rows = rows
        self._weights = weights

    def lexical_weight(self, words: LexicalMatch) -> float:
        """Return what standardised lexical scores count beside dense ones for this query."""
        return self._weights.lexical * words.emphasis

    def score(
        self,
        words: LexicalMatch,
        embedding: Vectors,
        rows: Rows,
        beside: Sequence[Channel],
        said: Said | None = None,
    ) -> Scored:
        """Score `rows` by every channel; the best of them say what others are like unless it is `said`."""
        dense, spread = self.dense(embedding, rows)
        lexical = words.scores[rows]
        weight = self.lexical_weight(words)
        fused = fusion.fuse(dense, lexical, weight, (spread, words.spread))
        towards = self._towards(fused, rows) if said is None else said.towards
        fused = self._fed_back(fused, rows, towards)
        columns = self._rows.columns
        agreed = Agreement.of(rows[fusion.best(fused, BEST)], columns) if said is None else said.agreement
        fused += np.float32(self._weights.agreement) * agreed.scores(rows, columns)
        told = [channel.pooled(rows) for channel in beside]
        channels = [words.channel.pooled(rows), Channel("dense", dense), *told]
        standardised = fusion.standardise(dense, spread)
        return Scored(Pool(rows, fused, channels), lexical, standardised, Said(towards, agreed))

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
        if not self._weights.feedback or not best.size:
            return np.zeros(vectors.dimension, np.float32)
        return feedback.direction(vectors.at(rows[best]), fused[best], vectors.mean())

    def _fed_back(self, fused: Scores, rows: Rows, towards: Vectors) -> Scores:
        """Return the fused scores of `rows`, float32 [pool], with what the best say of the others."""
        if not self._weights.feedback or not fused.size:
            return fused
        near = fusion.standardise(*self.dense(towards, rows))
        fed_back: Scores = fused + np.float32(self._weights.feedback) * near
        return fed_back

    def dense(self, embedding: Vectors, rows: Rows) -> tuple[Scores, Spread]:
        """Return the exact scores of `rows` and the spread of all rows'."""
        scores = self._rows.vectors.scores(embedding, rows)
        complete = rows.size == len(self._rows)
        return scores, Spread.of(scores) if complete else self._rows.vectors.spread(embedding)
