"""Chinese words that were typed in Latin letters, as pinyin without tones: yundongxie for 运动鞋.

Each way to cut the letters into syllables is a lattice of characters; the likeliest path through pairs that
products hold is found syllable by syllable, the best few kept (Chen and Lee, ACL 2000).
"""

import heapq
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

from runtime.spelling.pinyin import characters_by_sound
from services.retrieval.words.chinese_spelling import ChineseSpeller

_LONGEST_SYLLABLE = 6
_VOWEL = re.compile("[aeiouv]")  # "m" and "ng" are sounds, but nobody types them for words
_MOST_LETTERS = 24
_MOST_WAYS = 16  # "xianan" can be cut in four
_BREADTH = 40  # paths kept at each syllable


class PinyinReader:
    """Reads pinyin as the Chinese words of the products. Reads: no change may overlap."""

    def __init__(self, speller: ChineseSpeller) -> None:
        self._speller = speller

    def readings(self, letters: str) -> list[str]:
        """Return the words of two characters and more that `letters`, lower case, may spell, likeliest first:
        each of their pairs is held by some product."""
        if len(letters) > _MOST_LETTERS:
            return []
        found: dict[str, float] = {}
        for syllables in syllables_of(letters):
            for text, score in self._paths(syllables):
                found[text] = max(score, found.get(text, -math.inf))
        return sorted(found, key=lambda text: -found[text])

    def _paths(self, syllables: tuple[str, ...]) -> list[tuple[str, float]]:
        if len(syllables) < 2:
            return []
        by_sound, likelihood = characters_by_sound(), self._speller.likelihood
        paths = _best((each, likelihood("", each)) for each in by_sound[syllables[0]])
        for syllable in syllables[1:]:
            paths = _best(
                (text + each, score + likelihood(text[-1], each))
                for each in by_sound[syllable]
                for text, score in paths
                if self._speller.holds(text[-1] + each)
            )
        return paths


def _best(paths: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return heapq.nlargest(_BREADTH, paths, key=lambda path: path[1])


def syllables_of(letters: str) -> list[tuple[str, ...]]:
    """Return the ways to cut `letters` into syllables of pinyin, at most 16, fewest syllables first."""
    return sorted(islice(_cuts(letters), _MOST_WAYS), key=len)


@cache
def _syllables() -> frozenset[str]:
    return frozenset(each for each in characters_by_sound() if _VOWEL.search(each))


def _cuts(letters: str) -> Iterator[tuple[str, ...]]:
    if not letters:
        yield ()
    for end in range(1, min(_LONGEST_SYLLABLE, len(letters)) + 1):
        if letters[:end] in _syllables():
            yield from ((letters[:end], *rest) for rest in _cuts(letters[end:]))
