"""How well products match the words of a query, or a synonym in place of some of them."""

import numpy as np
from numpy.typing import NDArray

from services.retrieval.lexical import LexicalIndex
from services.retrieval.words.exclusions import UNWANTED_WEIGHT, Reading
from services.retrieval.words.synonyms import Heard, Synonyms

_SYNONYM_WEIGHT = 0.8  # of what the word itself would give


def word_scores(
    reading: Reading, lexical: LexicalIndex, synonyms: Synonyms, rows: int
) -> NDArray[np.float32]:
    """Return the BM25 scores of rows 0 … `rows` − 1, float32 [rows].

    A phrase and its synonyms are one: a product gets the better of what the phrase gives it and .8 of what a
    synonym does that it holds whole, and no more than the best product gets by the phrase, however rare the
    synonym (as Lucene's SynonymQuery blends them). What the query does not want is taken off.
    """
    scores = lexical.scores(reading.terms, rows)
    for heard in synonyms.heard(reading.wanted):
        _credit(scores, heard, lexical)
    if reading.unwanted:
        scores -= np.float32(UNWANTED_WEIGHT) * lexical.scores(reading.unwanted, rows)
    return scores


def _credit(scores: NDArray[np.float32], heard: Heard, lexical: LexicalIndex) -> None:
    """Add to `scores`, which hold the phrase's own, what the synonyms give more."""
    best = np.zeros_like(scores)
    for terms in heard.others:
        rows = lexical.together(terms)
        if rows.size:
            best[rows] = np.maximum(best[rows], lexical.scores(terms, scores.size)[rows])
    rows = np.flatnonzero(best)
    if not rows.size:
        return
    own = lexical.scores(heard.terms, scores.size)
    most = own.max() or np.inf  # no product may say it as the query does
    scores[rows] += np.maximum(_SYNONYM_WEIGHT * np.minimum(best[rows], most) - own[rows], 0.0)
