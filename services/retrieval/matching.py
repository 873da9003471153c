"""Which products match a query: what totals and facets are counted over, and what may be a candidate.

Dense scores rank every product and lexical ones every product with one common word, so "found by a channel"
counts nothing. A product matches when it scores well beside the best: at least a share of the best lexical
score, or of the best standardised dense one, or as much as the 200th by the fused score. All of it is
measured on the whole catalogue: a filter never changes what matches, only what of it is let through. So the
count beside a facet's value is the total after that value is chosen.

The shares keep what judges call Exact on 90 ESCI queries over 6,764 products: both together (the first 200
left aside) let through 175 products in the median and 96 % of the Exact ones; one common word lets through
1,726 and 97 %; shares of .4 and .5 let through 90 and 93 %.
"""

from dataclasses import dataclass

import numpy as np

from services.retrieval import fusion
from services.retrieval.fusion import Scores
from services.retrieval.values import Mask

LEXICAL_SHARE = 0.3
DENSE_SHARE = 0.4
DEPTH = 200


@dataclass(frozen=True)
class Cuts:
    """The least scores with which a product matches: the lexical, the standardised dense, and the fused."""

    lexical: float
    dense: float
    fused: float

    @classmethod
    def of(cls, lexical: Scores, dense: Scores, fused: Scores, limit: int) -> "Cuts":
        """Return the cuts of a query.

        lexical: float32 [n], of the whole catalogue; dense (standardised) and fused: float32 [pool], of rows
        that hold the best of the catalogue.
        """
        depth = max(limit, DEPTH)
        best = fusion.best(fused, depth)
        least = float(fused[best[-1]]) if best.size == depth else -np.inf
        return cls(_share(lexical, LEXICAL_SHARE), _share(dense, DENSE_SHARE), least)

    def by_words(self, lexical: Scores) -> Mask:
        """Return which rows match by their words alone: bool [n] of float32 [n]."""
        return _reaching(lexical, self.lexical)

    def by_meaning(self, dense: Scores) -> Mask:
        """Return which rows match by their meaning alone: bool [n] of standardised float32 [n]."""
        return _reaching(dense, self.dense)

    def matching(self, lexical: Scores, dense: Scores, fused: Scores) -> Mask:
        """Return which rows match: bool [n] of float32 [n] each."""
        near = self.by_words(lexical) | self.by_meaning(dense)
        mask: Mask = near | (fused >= np.float32(self.fused))
        return mask


def matches_by_words(lexical: Scores, limit: int) -> Mask:
    """Return which rows match a query of which only the words are known; lexical: float32 [n]."""
    mask = _reaching(lexical, _share(lexical, LEXICAL_SHARE))
    mask[fusion.best(lexical, max(limit, DEPTH))] = True
    found: Mask = mask & (lexical > 0)
    return found


def _share(scores: Scores, share: float) -> float:
    return share * float(scores.max()) if scores.size else 0.0


def _reaching(scores: Scores, least: float) -> Mask:
    near: Mask = scores >= np.float32(least)
    return near if least > 0 else near & (scores > 0)
