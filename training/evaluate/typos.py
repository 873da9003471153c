"""Queries as hurried people type them: the same wishes with one word, or one Chinese character, mistaken."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from random import Random

from services.retrieval.words.confusion import homophones, look_alikes
from services.retrieval.words.pinyin import simplified_characters
from training.evaluate.sets import JudgedQuery

SUFFIX = "_typos"  # of the group's name
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]{4,}(?![^\W_])")
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_COMMON = (
    3_755  # of the simplified characters: the first level of GB 2312, those an input method offers first
)

Mistake = Callable[[str, Random], str]


def with_typos(queries: Sequence[JudgedQuery]) -> list[JudgedQuery]:
    """Return the queries that hold a word of four letters or two Chinese characters, with one typo each.

    Latin: one word with two letters swapped, one dropped, doubled, or replaced by a neighbour on the
    keyboard. Chinese: two characters swapped, or one written as another common one of the same sound,
    whatever the tone, or of a like shape. The choice hangs on the text alone, so it is the same in every run
    and whatever other queries there are.
    """
    return _mistaken(queries, with_typo)


def chinese_typo_groups(name: str, queries: Sequence[JudgedQuery]) -> dict[str, list[JudgedQuery]]:
    """Return by group name the queries of set `name` that hold two Chinese characters, once for each kind of
    mistake."""
    return {
        f"{name}_{kind}{SUFFIX}": _mistaken(queries, partial(_in_one, _HAN, make=make))
        for kind, make in _CHINESE.items()
    }


def with_typo(text: str) -> str:
    """Return `text` with one typo, or as it is when no word is long enough."""
    if _WORD.search(text):
        return _in_one(_WORD, text, _mistype)
    return _in_one(_HAN, text, _mistake_han)


def _mistaken(queries: Sequence[JudgedQuery], make: Callable[[str], str]) -> list[JudgedQuery]:
    mistaken = ((query, make(query.text)) for query in queries)
    return [replace(query, text=text, twin="") for query, text in mistaken if text != query.text]


def _in_one(word: re.Pattern[str], text: str, make: Mistake) -> str:
    random = Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
    places = list(word.finditer(text))
    if not places:
        return text
    place = random.choice(places)
    return text[: place.start()] + make(place[0], random) + text[place.end() :]


def _mistype(word: str, random: Random) -> str:
    while True:
        kind, at = random.choice(("swap", "drop", "double", "neighbour")), random.randrange(len(word))
        if kind == "swap":
            typed = _swap(word, random.randrange(len(word) - 1))
        elif kind == "drop":
            typed = word[:at] + word[at + 1 :]
        elif kind == "double":
            typed = word[: at + 1] + word[at:]
        else:
            typed = word[:at] + random.choice(_neighbours(word[at])) + word[at + 1 :]
        if typed != word:
            return typed


def _mistake_han(run: str, random: Random) -> str:
    return _CHINESE[random.choice(list(_CHINESE))](run, random)


def _swap_one(run: str, random: Random) -> str:
    return _swap(run, random.randrange(len(run) - 1))


def _one_as(alike: Callable[[str], str]) -> Mistake:
    """Return the mistake of writing one character as a common one that is `alike`, or else of a swap."""

    def mistake(run: str, random: Random) -> str:
        others = [[each for each in alike(character) if each in _common()] for character in run]
        places = [at for at, found in enumerate(others) if found]
        if not places:
            return _swap_one(run, random)
        at = random.choice(places)
        return run[:at] + random.choice(others[at]) + run[at + 1 :]

    return mistake


@cache
def _common() -> frozenset[str]:
    return frozenset(simplified_characters()[:_COMMON])


_CHINESE: Mapping[str, Mistake] = {
    "homophone": _one_as(homophones),
    "look_alike": _one_as(look_alikes),
    "swap": _swap_one,
}


def _swap(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _neighbours(letter: str) -> str:
    row = next(row for row in _ROWS if letter.lower() in row)
    at = row.index(letter.lower())
    return row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
