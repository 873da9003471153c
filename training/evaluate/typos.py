"""Queries as hurried people type them: the same wishes with one word, or one Chinese character, mistaken."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pypinyin.pinyin_dict import pinyin_dict

from training.evaluate.sets import JudgedQuery

SUFFIX = "_typos"  # of the group's name
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]{4,}(?![^\W_])")
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_COMMON_HAN = range(0x4E00, 0x9FA6)


def with_typos(queries: Sequence[JudgedQuery]) -> list[JudgedQuery]:
    """Return the queries that hold a word of four letters or two Chinese characters, with one typo each.

    Latin: one word with two letters swapped, one dropped, doubled, or replaced by a neighbour on the
    keyboard. Chinese: two characters swapped, or one written as another of the same sound. The choice hangs
    on the text alone, so it is the same in every run and whatever other queries there are.
    """
    mistaken = ((query, with_typo(query.text)) for query in queries)
    return [replace(query, text=text, twin="") for query, text in mistaken if text != query.text]


def with_typo(text: str) -> str:
    """Return `text` with one typo, or as it is when no word is long enough."""
    random = Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
    words = list(_WORD.finditer(text))
    mistake, places = (_mistype, words) if words else (_mistake_han, list(_HAN.finditer(text)))
    if not places:
        return text
    place = random.choice(places)
    return text[: place.start()] + mistake(place[0], random) + text[place.end() :]


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
    at = random.randrange(len(run))
    alike = _homophones(run[at])
    if alike and random.random() < 0.5:
        return run[:at] + random.choice(alike) + run[at + 1 :]
    return _swap(run, random.randrange(len(run) - 1))


def _swap(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _neighbours(letter: str) -> str:
    row = next(row for row in _ROWS if letter.lower() in row)
    at = row.index(letter.lower())
    return row[max(at - 1, 0) : at] + row[at + 1 : at + 2]


def _homophones(character: str) -> list[str]:
    sound = pinyin_dict.get(ord(character), "").split(",")[0]
    if not sound:
        return []
    return [chr(c) for c in _COMMON_HAN if chr(c) != character and pinyin_dict.get(c, "") == sound]
