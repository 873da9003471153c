"""How well products match the words of a query, or a synonym in place of some of them."""

import numpy as np
from numpy.typing import NDArray

from services.retrieval.analyser import analyse
from services.retrieval.lexical import LexicalIndex
from services.retrieval.words.synonyms import Heard, Synonyms

_SYNONYM_WEIGHT = 0.8  # of what the word itself would give


def word_scores(query: str, lexical: LexicalIndex, synonyms: Synonyms, rows: int) -> NDArray[np.float32]:
    """Return the BM25 scores of rows 0 … `rows` − 1, float32 [rows].

    A phrase and its synonyms are one: a product gets the better of what the phrase gives it and .8 of what a
    synonym does that it holds whole, and no more than the best product gets by the phrase, however rare the
    synonym (as Lucene's SynonymQuery blends them).
    """
    scores = lexical.scores(analyse(query), rows)
    for heard in synonyms.heard(query):
        _credit(scores, heard, lexical)
    return scores


def _credit(scores: NDArray[np.float32], heard: Heard, lexical: LexicalIndex) -> None:
    """Add to `scores`, which hold the phrase's own, what the synonyms give more."""
    others = [terms for terms in heard.others if lexical.together(terms)]
    if not others:
        return
    own = lexical.scores(heard.terms, scores.size)
    best = np.max([lexical.scores_of_all(terms, scores.size) for terms in others], axis=0)
    most = own.max(initial=0.0)
    if most:
        np.minimum(best, most, out=best)
    scores += np.maximum(_SYNONYM_WEIGHT * best - own, 0.0)
