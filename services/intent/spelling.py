"""Misspelt words of a query, read as the words of the shop that they were probably meant to be.

The model reads the text as meant; whatever it says of a place is told of the user's own text.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.folding import fold
from runtime.spelling.characters import HAN_RUN, Neighbours
from runtime.spelling.chinese import ChineseMistakes
from runtime.spelling.ordinary import frequent_words, ordinary_words
from services.intent.deletions import Deletions
from services.intent.labels import Vocabulary
from services.intent.model_numbers import find_model_numbers
from services.intent.pictures import without_pictures
from services.intent.slips import alike_until, slip_cost

_SHORTEST = 4  # letters; shorter words become other words
_LETTER = r"[^\W_\u3400-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"(?<!{_LETTER})[a-z]{{{_SHORTEST - 1},}}(?!{_LETTER}|['’]t\b)")
# In natural logarithms; chosen on mistakes made in validation queries, and on real texts without any.
_LEAST_SCORE = -3.1
_LEAST_MARGIN = 0.7
_LEAST_GAIN = 0.0
_AS_RARE = 100_000  # times that English at large counts a word which one text of the shop holds


@dataclass(frozen=True)
class Spelled:
    """A query as it was probably meant; `places` are those in the query of each character of `text`, and of
    its end."""

    text: str
    places: tuple[int, ...]

    def placed(self, understanding: Understanding) -> Understanding:
        """Return what was understood of `text`, with spans of the query."""
        for slot in understanding.slots:
            slot.start, slot.end = self.places[slot.start], self.places[slot.end]
        for told in understanding.constraints:
            told.start, told.end = self.places[told.start], self.places[told.end]
        return understanding


class Speller:
    """Corrects words that neither the shop nor the language knows, at most one slip in each: to words of the
    shop, or else to frequent English ones."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._words = vocabulary.words
        self._latin_words = Deletions(
            each for each in self._words if each.isascii() and len(each) >= _SHORTEST
        )
        self._at_large = _at_large()
        self._longest = max((len(each) for each in self._words if not each.isascii()), default=0)
        # Nothing is said to stand between two characters, so only what sounds or looks alike is exchanged.
        self._chinese = ChineseMistakes(_CharacterCounts(vocabulary), Neighbours(), _length(vocabulary))

    def read(self, query: str) -> Spelled:
        """Return `query` without emoji and, where the shop has a vocabulary, its misspelt words corrected."""
        text, places = without_pictures(query), list(range(len(query) + 1))
        folded = fold(text)
        for start, written, meant in sorted((*self._latin(folded), *self._han(folded)), reverse=True):
            end = start + len(written)
            text = text[:start] + meant + text[end:]
            places[start:end] = [start + place for place in _places(written, meant)]
        return Spelled(text, tuple(places))

    def _latin(self, folded: str) -> Iterator[tuple[int, str, str]]:
        numbers = find_model_numbers(folded)
        for found in _WORD.finditer(folded):
            in_number = any(start <= found.start() < end for start, end in numbers)
            if not in_number and (meant := self._meant(found[0])):
                yield found.start(), found[0], meant

    def _meant(self, word: str) -> str:
        if not self._words or word in self._words or word in ordinary_words():
            return ""
        scores = {near: _score(self._words[near], word, near) for near in self._latin_words.near(word)}
        if len(word) >= _SHORTEST and max(scores.values(), default=-math.inf) < _LEAST_SCORE:
            counts = frequent_words()
            scores = {near: _score(counts[near] / _AS_RARE, word, near) for near in self._at_large.near(word)}
        return _best(scores, _LEAST_SCORE)

    def _han(self, folded: str) -> Iterator[tuple[int, str, str]]:
        for run in HAN_RUN.finditer(folded):
            if self._chinese.suspects(run[0]):
                gains = self._chinese.gains(run[0]).items()
                completing = {each: gain for each, gain in gains if self._completes(run[0], each)}
                if meant := _best(completing, _LEAST_GAIN):
                    yield run.start(), run[0], meant

    def _completes(self, written: str, meant: str) -> bool:
        """Whether all that is new in `meant` belongs to words of the shop."""
        start, end = _changed(written, meant)
        covered = {
            place
            for first in range(max(0, start - self._longest + 1), end)
            for last in range(max(first + 2, start + 1), min(len(meant), first + self._longest) + 1)
            if meant[first:last] in self._words
            for place in range(first, last)
        }
        return covered.issuperset(range(start, end))


class _CharacterCounts:
    """A vocabulary's characters, as counts of texts."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._texts, self._characters = vocabulary.texts, vocabulary.characters

    def __len__(self) -> int:
        return self._texts

    def documents(self, term: str) -> int:
        return self._characters.get(term, 0)


def _length(vocabulary: Vocabulary) -> float:
    """Return how many different Chinese characters a text has on average."""
    alone = sum(count for each, count in vocabulary.characters.items() if len(each) == 1)
    return max(alone, 1) / max(vocabulary.texts, 1)


def _changed(written: str, meant: str) -> tuple[int, int]:
    """Return the span of `meant` that differs from `written`; what was left out of it lies between two."""
    start = alike_until(written, meant)
    end = len(meant) - min(alike_until(written[::-1], meant[::-1]), len(meant) - start)
    return (start, end) if end > start else (max(0, start - 1), min(len(meant), start + 1))


@cache
def _at_large() -> Deletions:
    return Deletions(each for each in frequent_words() if len(each) >= _SHORTEST)


def _score(texts: float, written: str, meant: str) -> float:
    """Return how likely `meant`, which so many texts hold, was meant by `written`."""
    return math.log(texts) - slip_cost(written, meant)


def _best(scores: dict[str, float], least: float) -> str:
    """Return the text with the best score, "" when that is too little or not plainly the best."""
    ordered = sorted(scores, key=lambda text: -scores[text])[:2]
    if not ordered or scores[ordered[0]] < least:
        return ""
    margin = scores[ordered[0]] - scores[ordered[1]] if len(ordered) > 1 else math.inf
    return ordered[0] if margin >= _LEAST_MARGIN else ""


def _places(written: str, meant: str) -> Iterator[int]:
    """Yield of each character of `meant` its place in `written`, one edit away."""
    before = alike_until(written, meant)
    for place in range(len(meant)):
        if len(written) == len(meant) or place < before:
            yield place
        else:
            yield max(before, place + len(written) - len(meant))
