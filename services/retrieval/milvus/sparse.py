"""BM25 as inner products of sparse vectors, for engines that search sparse vectors themselves.

The terms are those of our analyser and the weights those of `lexical`, so that words score alike wherever
they are searched: a document's vector carries the damped term frequencies, a query's the idf.
"""

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from services.retrieval.fusion import Spread

SparseVector = dict[int, float]

# Terms of a document, those of titles counted three times; the demo shop's have 234. It is part of every
# stored vector, so another one would need another record.
MEAN_LENGTH = 200.0

_K1 = 1.2
_B = 0.75


class TermStatistics:
    """How many documents hold each term, and what it weighs in them; exact after every change.

    One thread changes it; others may read beside it.
    """

    def __init__(self, mean_length: float = MEAN_LENGTH) -> None:
        self.documents = 0
        self._mean_length = mean_length
        self._frequencies: Counter[str] = Counter()
        self._weights: defaultdict[str, float] = defaultdict(float)
        self._squares: defaultdict[str, float] = defaultdict(float)

    def put(self, terms: Sequence[str]) -> None:
        """Count a document with `terms`."""
        self._change(terms, 1)

    def remove(self, terms: Sequence[str]) -> None:
        """Take back a document that was put with `terms`."""
        self._change(terms, -1)

    def documents_with(self, term: str) -> int:
        """Return how many documents hold a term."""
        return self._frequencies[term]

    def idf(self, term: str) -> float:
        """Return ln(1 + (N − df + .5) / (df + .5)), never negative."""
        frequency = self._frequencies[term]
        return math.log1p((self.documents - frequency + 0.5) / (frequency + 0.5))

    def spread(self, terms: Iterable[str]) -> Spread:
        """Return the mean and deviation of the BM25 scores of all documents for `terms`.

        The mean is exact; the deviation takes the terms as independent of each other, so it is too small for
        those that come together.
        """
        mean = variance = 0.0
        for term in dict.fromkeys(terms):
            idf, share = self.idf(term), self._weights.get(term, 0.0) / max(self.documents, 1)
            mean += idf * share
            variance += idf**2 * max(self._squares.get(term, 0.0) / max(self.documents, 1) - share**2, 0.0)
        return Spread(mean, math.sqrt(variance))

    def _change(self, terms: Sequence[str], sign: int) -> None:
        self.documents += sign
        for term, weight in _weights(terms, self._mean_length):
            if self._frequencies[term] + sign:
                self._frequencies[term] += sign
                self._weights[term] += sign * weight
                self._squares[term] += sign * weight**2
            else:
                del self._frequencies[term], self._weights[term], self._squares[term]


def document_vector(terms: Sequence[str], mean_length: float = MEAN_LENGTH) -> SparseVector:
    """Return what a document with `terms` weighs in each, for a catalogue of that mean length.

    The mean length belongs to a record: one that changed with every product would change all vectors.
    """
    return _summed(_weights(terms, mean_length))


def query_vector(terms: Iterable[str], statistics: TermStatistics) -> SparseVector:
    """Return the vector whose inner product with a document's is its BM25 score; each term counts once."""
    return _summed((term, statistics.idf(term)) for term in dict.fromkeys(terms))


def _weights(terms: Sequence[str], mean_length: float) -> Iterable[tuple[str, float]]:
    damping = _K1 * (1 - _B + _B / mean_length * len(terms))
    return ((term, (_K1 + 1) * count / (count + damping)) for term, count in Counter(terms).items())


def _summed(weights: Iterable[tuple[str, float]]) -> SparseVector:
    vector: SparseVector = {}
    for term, weight in weights:
        place = _place(term)
        vector[place] = vector.get(place, 0.0) + weight
    return vector


def _place(term: str) -> int:
    """Return the dimension of a term; of 100,000 terms about one pair shares one."""
    return zlib.crc32(term.encode()) % 0xFFFF_FFFF
