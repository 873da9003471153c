"""What a misspelt query was meant to be, from the words of the catalogue alone."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.distance import OSA

from runtime.spelling.characters import HAN_RUN
from runtime.spelling.ordinary import ordinary_words
from services.retrieval.analyser import analyse, fold
from services.retrieval.lexical import LexicalIndex
from services.retrieval.words.chinese_spelling import ChineseSpeller
from services.retrieval.words.pinyin_typing import PinyinReader
from services.retrieval.words.vocabulary import Vocabulary

_TOKEN = re.compile(r"[^\s/,;|]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff\uf900-\ufaff]+")
_SHORTEST = 4  # shorter words have too many neighbours
_LONG = 8  # from here on two edits are as telling as one is before
_EDIT_COST = 5.0  # in natural logarithms of products: one edit outweighs a word 150 times as frequent
_FIRST_LETTER_COST = 1.0  # people rarely miss the first letter (Kukich, ACM Computing Surveys 24(4), 1992)
_CONTEXT_WEIGHT = 1.0
_CONFIDENT_MARGIN = 0.7
_SPLIT_COST = 4.0
_PINYIN_COST = 3.0
_PINYIN_LOOKED_AT = 4
_SHORTEST_PART = 3
_MOST_CANDIDATES = 40
_RARE = 2
_TIMES_AS_FREQUENT = 200


@dataclass(frozen=True)
class Correction:
    """A query as it was probably meant, and whether that is sure enough to search for it unasked."""

    query: str
    confident: bool


@dataclass(frozen=True)
class _Reading:
    words: tuple[str, ...]
    score: float


class Speller:
    """Corrects words that the catalogue does not hold. Reads its vocabulary: no change may overlap.

    `lexical` says how many products hold a term anywhere, descriptions included.
    """

    def __init__(self, vocabulary: Vocabulary, lexical: LexicalIndex) -> None:
        self._vocabulary = vocabulary
        self._lexical = lexical
        self._chinese = ChineseSpeller(lexical, vocabulary.neighbours)
        self._pinyin = PinyinReader(self._chinese)

    def suspects(self, query: str) -> bool:
        """Return whether any word of `query` may be misspelt; quick, and true of few queries."""
        return any(True for _ in self._misspelt(query))

    def correct(self, query: str) -> Correction | None:
        """Return the correction of `query`, None when every word of it is known or nothing is like it.

        Words with digits are model numbers and are left alone; so is every known word, unless hardly a
        product holds it and very many hold a neighbour: that is offered, but never searched for unasked.
        """
        written, confident, corrected = query, True, False
        for start, word in sorted(self._misspelt(query), reverse=True):
            meant, sure = self._chinese_meant(word, query) if _is_chinese(word) else self._meant(word, query)
            if not meant:
                continue
            written = f"{written[:start]}{meant}{written[start + len(word) :]}"
            confident, corrected = confident and sure, True
        return Correction(written, confident) if corrected else None

    def _misspelt(self, query: str) -> Iterator[tuple[int, str]]:
        for token in _TOKEN.finditer(query):
            if any(character.isdigit() for character in token[0]):
                continue
            for match in _WORD.finditer(token[0]):
                if len(match[0]) >= _SHORTEST and self._unknown(match[0]):
                    yield token.start() + match.start(), match[0]
        for match in HAN_RUN.finditer(query):
            if self._chinese.suspects(fold(match[0])):
                yield match.start(), match[0]

    def _chinese_meant(self, run: str, query: str) -> tuple[str, bool]:
        return self._chinese.best(fold(run), [other for other in _runs(query) if other != fold(run)])

    def _meant(self, word: str, query: str) -> tuple[str, bool]:
        others = [other for other in _words(query) if other != word and self._vocabulary.count(other)]
        reading, sure = self._best(word, others)
        return (" ".join(reading.words), sure) if reading else ("", False)

    def _unknown(self, word: str) -> bool:
        return self._held(word) <= _RARE and fold(word) not in ordinary_words()

    def _held(self, word: str) -> int:
        terms = analyse(word)
        return max(map(self._lexical.documents, terms), default=_RARE + 1)

    def _best(self, word: str, others: list[str]) -> tuple[_Reading | None, bool]:
        folded, held = fold(word), self._held(word)
        found = [*self._readings(folded, others), *(() if held else self._pinyin_readings(folded))]
        readings = sorted(found, key=lambda reading: -reading.score)[:2]
        if not readings:
            return None, False
        best = readings[0]
        if held:
            least = _TIMES_AS_FREQUENT * max(held, 1)
            near = len(best.words) == 1 and OSA.distance(folded, best.words[0]) == 1
            frequent = near and self._vocabulary.count(best.words[0]) >= least
            return (best if frequent else None), False
        margin = best.score - readings[1].score if len(readings) > 1 else math.inf
        return best, margin >= _CONFIDENT_MARGIN

    def _readings(self, word: str, others: list[str]) -> Iterator[_Reading]:
        most = 2 if len(word) >= _LONG else 1
        near: list[tuple[float, str]] = []
        for words in self._vocabulary.of_lengths(range(len(word) - most, len(word) + most + 1)):
            found = process.extract(word, words.keys(), scorer=OSA.distance, score_cutoff=most, limit=None)
            near += [
                (self._plain_score(word, each, distance), each) for each, distance, _ in found if distance
            ]
        for plain, candidate in sorted(near, reverse=True)[:_MOST_CANDIDATES]:
            yield _Reading((candidate,), plain + _CONTEXT_WEIGHT * self._context([candidate], others))
        yield from self._splits(word, others)

    def _plain_score(self, word: str, candidate: str, distance: float) -> float:
        first = _FIRST_LETTER_COST if word[0] != candidate[0] else 0.0
        return math.log(self._vocabulary.count(candidate)) - _EDIT_COST * distance - first

    def _splits(self, word: str, others: list[str]) -> Iterator[_Reading]:
        """Yield the readings of `word` as two words of the catalogue that name some product together."""
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            parts = [word[:cut], word[cut:]]
            if all(self._vocabulary.count(part) > _RARE for part in parts):
                together = self._vocabulary.named_by(parts)
                if together > _RARE:
                    score = math.log(together) - _SPLIT_COST + _CONTEXT_WEIGHT * self._context(parts, others)
                    yield _Reading(tuple(parts), score)

    def _pinyin_readings(self, word: str) -> Iterator[_Reading]:
        """Yield the Chinese words that `word` spells in pinyin and several products hold."""
        for text in self._pinyin.readings(word)[:_PINYIN_LOOKED_AT]:
            together = self._lexical.together(list(map("".join, pairwise(text)))).size
            if together > _RARE:
                yield _Reading((text,), math.log(together) - _PINYIN_COST)

    def _context(self, words: list[str], others: list[str]) -> float:
        """Return the mean over `others` of the log of how much likelier they are beside `words`."""
        if not others:
            return 0.0
        count, products = self._vocabulary.named_by(words), max(self._vocabulary.products, 1)
        total = 0.0
        for other in others:
            together = self._vocabulary.named_by([*words, other])
            expected = count * self._vocabulary.count(other) / products
            total += math.log((together + 0.5) / (expected + 0.5))
        return total / len(others)


def _is_chinese(word: str) -> bool:
    return HAN_RUN.match(word) is not None


def _runs(query: str) -> list[str]:
    return HAN_RUN.findall(fold(query))


def _words(query: str) -> list[str]:
    return list(dict.fromkeys(_WORD.findall(fold(query))))
