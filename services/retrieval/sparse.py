"""BM25 as inner products of sparse vectors, for engines that search sparse vectors themselves.

The terms are those of our analyser and the weights those of `lexical`, so that words score alike wherever
they are searched: a document's vector carries the damped term frequencies, a query's the idf.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

SparseVector = dict[int, float]

_K1 = 1.2
_B = 0.75


class TermStatistics:
    """How many documents hold each term, and how long documents are; exact after every change."""

    def __init__(self) -> None:
        self.documents = 0
        self._length = 0
        self._frequencies: Counter[str] = Counter()

    @property
    def mean_length(self) -> float:
        """Mean number of terms of a document, 1 when there is none."""
        return max(self._length / max(self.documents, 1), 1.0)

    def put(self, terms: Sequence[str]) -> None:
        """Count a document with `terms`."""
        self.documents += 1
        self._length += len(terms)
        self._frequencies.update(set(terms))

    def remove(self, terms: Sequence[str]) -> None:
        """Take back a document that was put with `terms`."""
        self.documents -= 1
        self._length -= len(terms)
        self._frequencies.subtract(set(terms))

    def idf(self, term: str) -> float:
        """Return ln(1 + (N − df + .5) / (df + .5)), never negative."""
        frequency = self._frequencies[term]
        return math.log1p((self.documents - frequency + 0.5) / (frequency + 0.5))


def document_vector(terms: Sequence[str], mean_length: float) -> SparseVector:
    """Return what a document with `terms` weighs in each, for a catalogue of that mean length.

    The mean length belongs to a generation: one that changed with every product would change all vectors.
    """
    damping = _K1 * (1 - _B + _B / mean_length * len(terms))
    counts = Counter(terms).items()
    return _summed((term, (_K1 + 1) * count / (count + damping)) for term, count in counts)


def query_vector(terms: Iterable[str], statistics: TermStatistics) -> SparseVector:
    """Return the vector whose inner product with a document's is its BM25 score; each term counts once."""
    return _summed((term, statistics.idf(term)) for term in dict.fromkeys(terms))


def _summed(weights: Iterable[tuple[str, float]]) -> SparseVector:
    vector: SparseVector = {}
    for term, weight in weights:
        place = _place(term)
        vector[place] = vector.get(place, 0.0) + weight
    return vector


def _place(term: str) -> int:
    """Return the dimension of a term; of 100,000 terms about one pair shares one."""
    return zlib.crc32(term.encode()) % 0xFFFF_FFFF
