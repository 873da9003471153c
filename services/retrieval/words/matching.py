"""How well products match the words of a query, or a synonym in place of some of them."""

from collections.abc import Sequence

import numpy as np

from services.retrieval.fusion import Rows, Scores
from services.retrieval.lexical import LexicalIndex
from services.retrieval.words.exclusions import UNWANTED_WEIGHT, Reading
from services.retrieval.words.synonyms import Heard, Synonyms

_SYNONYM_WEIGHT = 0.8  # of what the word itself would give
_NO_ROWS: Rows = np.zeros(0, np.intp)


def word_scores(reading: Reading, lexical: LexicalIndex, synonyms: Synonyms, rows: int) -> Scores:
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


def _credit(scores: Scores, heard: Heard, lexical: LexicalIndex) -> None:
    """Add to `scores`, which hold the phrase's own, what the synonyms give more."""
    rows, best = _best([lexical.whole(terms) for terms in heard.others], scores.size)
    if not rows.size:
        return
    own, most = lexical.scores_at(heard.terms, rows, scores.size)
    limit = most or np.inf  # no product may say it as the query does
    scores[rows] += np.maximum(_SYNONYM_WEIGHT * np.minimum(best, limit) - own, 0.0)


def _best(found: Sequence[tuple[Rows, Scores]], n: int) -> tuple[Rows, Scores]:
    """Return the distinct rows of all that was `found` in `n` rows, and the highest score of each."""
    found = [each for each in found if each[0].size]
    if len(found) == 1:
        return found[0]
    best = np.zeros(n, np.float32)
    for rows, scores in found:
        best[rows] = np.maximum(best[rows], scores)
    every = np.sort(np.concatenate([_NO_ROWS, *(rows for rows, _ in found)]))
    distinct = every[np.diff(every, prepend=-1) > 0]
    return distinct, best[distinct]
