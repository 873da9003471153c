"""Mistakes of hurried writers: in one Latin word, or in one run of Chinese characters."""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from runtime.spelling.confusion import homophones, look_alikes
from runtime.spelling.pinyin import simplified_characters

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_COMMON = (
    3_755  # of the simplified characters: the first level of GB 2312, those an input method offers first
)

Mistake = Callable[[str, Random], str]


def mistype(word: str, random: Random) -> str:
    """Return a Latin word with two letters swapped, one dropped, doubled, or replaced by a neighbour on the
    keyboard."""
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


def mistake_han(run: str, random: Random) -> str:
    """Return two Chinese characters or more after one of the mistakes CHINESE_MISTAKES."""
    return CHINESE_MISTAKES[random.choice(list(CHINESE_MISTAKES))](run, random)


@cache
def common_characters() -> frozenset[str]:
    """Return the characters that an input method offers first."""
    return frozenset(simplified_characters()[:_COMMON])


def _swap_one(run: str, random: Random) -> str:
    return _swap(run, random.randrange(len(run) - 1))


def _one_as(alike: Callable[[str], str]) -> Mistake:
    """Return the mistake of writing one character as a common one that is `alike`, or else of a swap."""

    def mistake(run: str, random: Random) -> str:
        others = [[each for each in alike(character) if each in common_characters()] for character in run]
        places = [at for at, found in enumerate(others) if found]
        if not places:
            return _swap_one(run, random)
        at = random.choice(places)
        return run[:at] + random.choice(others[at]) + run[at + 1 :]

    return mistake


CHINESE_MISTAKES: Mapping[str, Mistake] = {
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
