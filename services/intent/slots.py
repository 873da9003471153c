"""Attribute values in a query: forms that the catalogue knows, and others that the tagger finds.

The lexicon knows how values are written, the tagger whether a word means one here: 白 is a colour in 白 T恤
and none in 白酒. A known form counts when the tagger gives its key enough probability, one with a slip where
the tagger sees a value that no known form covers; what is left is read from the tags alone, and must convince
by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from runtime.folding import fold
from services.intent.lexicon import Lexicon, is_whole

LEAST_KNOWN = 0.3  # probability of its key that a known form needs
LEAST_MISSPELT = 0.3  # of some key that a known form with a slip needs
LEAST_UNKNOWN = 0.6
_LEAST_UNKNOWN_CHARACTERS = 2

Offsets = Sequence[tuple[int, int]]
Span = tuple[int, int]


@dataclass(frozen=True)
class Value:
    """A value at `start` to `end` of a query, with the mean probability of its key over its tokens; where it
    is written with a slip, of any key."""

    key: str
    value: str
    start: int
    end: int
    probability: float


class KeyProbabilities:
    """The probability of each attribute key at each token of a query.

    `tags`: float64 [tokens, len(names)], probabilities of the BIO tags `names`; `offsets`: the tokens' spans
    in characters, empty for special tokens.
    """

    def __init__(self, tags: NDArray[np.float64], names: Sequence[str], offsets: Offsets) -> None:
        self.keys = tuple(dict.fromkeys(name[2:] for name in names if name.startswith("B-")))
        columns = [[number for number, name in enumerate(names) if name[2:] == key] for key in self.keys]
        self._mass = np.stack([tags[:, both].sum(axis=1) for both in columns], axis=1)
        self._starts = np.array([start for start, _ in offsets])
        self._ends = np.array([end for _, end in offsets])
        self._offsets = offsets

    def of(self, key: str, start: int, end: int) -> float:
        """Return the mean probability of `key` over the tokens that share characters with the span."""
        inside = (self._starts < end) & (self._ends > start)
        return float(self._mass[inside, self.keys.index(key)].mean()) if inside.any() else 0.0

    def of_any(self, start: int, end: int) -> float:
        """Return the same of all keys together."""
        inside = (self._starts < end) & (self._ends > start)
        return float(self._mass[inside].sum(axis=1).mean()) if inside.any() else 0.0

    def places(self, least: float) -> Iterator[Span]:
        """Yield the span of each token that names a value of any key with at least this probability."""
        told = self._mass.sum(axis=1) >= least
        yield from (
            span for span, flag in zip(self._offsets, told, strict=True) if flag and span[0] < span[1]
        )

    def runs(self) -> Iterator[tuple[str, int, int]]:
        """Yield each run of tokens whose likeliest reading is the same key, as (key, start, end)."""
        likeliest = self._mass.argmax(axis=1)
        convinced = (self._mass.max(axis=1) > 0.5) & (self._ends > self._starts)
        told = [int(key) if sure else -1 for key, sure in zip(likeliest, convinced, strict=True)]
        for key, tokens in groupby(range(len(told)), key=told.__getitem__):
            run = list(tokens)
            if key >= 0:
                yield self.keys[key], self._offsets[run[0]][0], self._offsets[run[-1]][1]


def find_values(query: str, lexicon: Lexicon, probabilities: KeyProbabilities) -> list[Value]:
    """Return the values named in `query`, left to right, none overlapping another."""
    chosen = _longest_first([*_known(query, lexicon, probabilities)])
    chosen = _longest_first([*chosen, *_misspelt(query, lexicon, probabilities, chosen)])
    chosen += [value for value in _unknown(query, probabilities) if not _overlaps(value, chosen)]
    return sorted(chosen, key=lambda value: value.start)


def _known(query: str, lexicon: Lexicon, probabilities: KeyProbabilities) -> Iterator[Value]:
    for each in lexicon.matches(query):
        if each.key in probabilities.keys:
            probability = probabilities.of(each.key, each.start, each.end)
            if probability >= LEAST_KNOWN:
                yield Value(each.key, each.value, each.start, each.end, probability)


def _misspelt(
    query: str, lexicon: Lexicon, probabilities: KeyProbabilities, known: Sequence[Value]
) -> Iterator[Value]:
    """Yield forms with a slip: the tagger sees that a value stands there, the lexicon which one."""
    places = [place for place in probabilities.places(LEAST_MISSPELT) if not _covered(place, known)]
    for each in lexicon.slips(query, places) if places else ():
        if each.key in probabilities.keys:
            probability = probabilities.of_any(each.start, each.end)
            if probability >= LEAST_MISSPELT:
                yield Value(each.key, each.value, each.start, each.end, probability)


def _longest_first(values: Sequence[Value]) -> list[Value]:
    chosen: list[Value] = []
    for value in sorted(values, key=lambda each: (each.start - each.end, -each.probability)):
        if not _overlaps(value, chosen):
            chosen.append(value)
    return chosen


def _overlaps(value: Value, others: Sequence[Value]) -> bool:
    return any(value.start < other.end and other.start < value.end for other in others)


def _covered(place: Span, values: Sequence[Value]) -> bool:
    return any(value.start <= place[0] and place[1] <= value.end for value in values)


def _unknown(query: str, probabilities: KeyProbabilities) -> Iterator[Value]:
    """Yield runs of one key that are whole words, with their own text as the value."""
    folded = fold(query)
    for key, run_start, run_end in probabilities.runs():
        start, end = _trimmed(query, run_start, run_end)
        probability = probabilities.of(key, start, end)
        long_enough = end - start >= _LEAST_UNKNOWN_CHARACTERS
        if long_enough and probability >= LEAST_UNKNOWN and is_whole(folded, start, end):
            yield Value(key, query[start:end], start, end, probability)


def _trimmed(query: str, start: int, end: int) -> Span:
    """Leave out white space at the ends: a token may carry the space before it."""
    text = query[start:end]
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))
