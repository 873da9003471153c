"""Queries as hurried people type them: the same wishes with one word, or one Chinese character, mistaken."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from training.evaluate.sets import JudgedQuery
from training.mistakes import CHINESE_MISTAKES, Mistake, mistake_han, mistype

SUFFIX = "_typos"  # of the group's name
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]{4,}(?![^\W_])")
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")


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
        for kind, make in CHINESE_MISTAKES.items()
    }


def with_typo(text: str) -> str:
    """Return `text` with one typo, or as it is when no word is long enough."""
    if _WORD.search(text):
        return _in_one(_WORD, text, mistype)
    return _in_one(_HAN, text, mistake_han)


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
