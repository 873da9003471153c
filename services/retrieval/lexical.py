"""BM25 over postings that can be changed while they are searched from."""

import math
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_K1 = 1.2
_B = 0.75
_FREQUENCY_BITS = 8
_MOST_FREQUENT = (1 << _FREQUENCY_BITS) - 1
_MOST_ROWS = 1 << (32 - _FREQUENCY_BITS)


class LexicalIndex:
    """An inverted index over rows 0 … n − 1; the caller says which row holds which document.

    A posting is one uint32: the row in the upper 24 bits, the term's frequency in the lower 8. Statistics
    (document frequency, mean length) are exact after every change, so scores do not depend on history.
    Not thread-safe: changes and searches must not overlap.
    """

    def __init__(self) -> None:
        self._postings: dict[str, array[int]] = {}
        self._lengths = np.zeros(1024, np.float32)
        self._rows = 0
        self._documents = 0
        self._total_length = 0
        self._damping: NDArray[np.float32] | None = None

    def put(self, row: int, terms: Sequence[str]) -> None:
        """Add a document with `terms` (repeated as they occur) at `row`, which must be empty."""
        if row >= _MOST_ROWS:
            raise ValueError(f"the lexical index holds at most {_MOST_ROWS} rows, got row {row}")
        postings, packed_row = self._postings, row << _FREQUENCY_BITS
        for term, frequency in _frequencies(terms).items():
            posting = postings.get(term)
            if posting is None:
                posting = postings[term] = array("I")
            posting.append(packed_row | frequency)
        self._resize(row + 1)
        self._lengths[row] = len(terms)
        self._count(1, len(terms))

    def remove(self, row: int, terms: Sequence[str]) -> None:
        """Remove the document at `row`; `terms` are those it was put with.

        Raises KeyError when the row does not hold one of them.
        """
        for term in set(terms):
            posting = self._postings[term]
            held = np.frombuffer(posting, np.uint32) >> _FREQUENCY_BITS
            places = np.flatnonzero(held == row)
            if not places.size:
                raise KeyError(f"row {row} holds no term {term!r}")
            last = posting.pop()
            if places[0] < len(posting):
                posting[places[0]] = last
            if not posting:
                del self._postings[term]
        self._lengths[row] = 0
        self._count(-1, -len(terms))

    def documents(self, term: str) -> int:
        """Return how many documents hold `term`."""
        return len(self._postings.get(term, ()))

    def scores(self, terms: Sequence[str], rows: int) -> NDArray[np.float32]:
        """Return the BM25 score of rows 0 … `rows` − 1 for a query: float32 [rows], 0 where no term occurs.

        Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the
        never negative idf ln(1 + (N − df + .5) / (df + .5)); each distinct term counts once.
        """
        scores = np.zeros(max(rows, self._rows), np.float32)
        damping = self._length_damping()
        for term in dict.fromkeys(terms):
            posting = self._postings.get(term)
            if posting is None:
                continue
            packed = np.frombuffer(posting, np.uint32)
            found = packed >> _FREQUENCY_BITS
            frequencies = (packed & _MOST_FREQUENT).astype(np.float32)
            scores[found] += self._gain(len(posting)) * frequencies / (frequencies + damping[found])
        return scores[:rows]

    def _gain(self, document_frequency: int) -> np.float32:
        idf = math.log1p((self._documents - document_frequency + 0.5) / (document_frequency + 0.5))
        return np.float32(idf * (_K1 + 1))

    def _length_damping(self) -> NDArray[np.float32]:
        if self._damping is None:
            mean = max(self._total_length / max(self._documents, 1), 1e-9)
            lengths = self._lengths[: self._rows]
            self._damping = (_K1 * (1 - _B + _B / mean * lengths)).astype(np.float32)
        return self._damping

    def _count(self, documents: int, length: int) -> None:
        self._documents += documents
        self._total_length += length
        self._damping = None

    def _resize(self, rows: int) -> None:
        self._rows = max(self._rows, rows)
        if rows > self._lengths.size:
            self._lengths = np.concatenate(
                [self._lengths, np.zeros(max(rows, self._lengths.size), np.float32)]
            )


def _frequencies(terms: Sequence[str]) -> dict[str, int]:
    frequencies = Counter(terms)
    if frequencies and max(frequencies.values()) > _MOST_FREQUENT:
        return {term: min(frequency, _MOST_FREQUENT) for term, frequency in frequencies.items()}
    return frequencies
