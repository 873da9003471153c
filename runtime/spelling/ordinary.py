"""Words of the languages at large: what is one of them is no mistake, though no product holds it."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_LEAST_FREQUENT = 5  # in the corpora that jieba's dictionary was counted on; rarer ones are mostly names
_STANDS_ALONE = 20_000  # as often a character is a word by itself: 的, 都, 有 …
_LEAST_FREQUENT_ENGLISH = 100
_FREQUENT_ENGLISH = 20_000
_ENTRY = re.compile("([\u3400-\u9fff]{1,4}) ([0-9]+) ")


def ordinary_pairs() -> frozenset[str]:
    """Return the pairs of characters inside the words of jieba's dictionary, some 120,000."""
    return _chinese().pairs


def ordinary_characters() -> frozenset[str]:
    """Return the characters that are frequent words by themselves, some 100."""
    return _chinese().characters


@cache
def ordinary_chinese_words() -> frozenset[str]:
    """Return the words of jieba's dictionary of two to four characters."""
    return frozenset(word for word, times in _chinese_words() if times >= _LEAST_FREQUENT and len(word) > 1)


def ordinary_words() -> frozenset[str]:
    """Return English words in lower case, the 47,000 most frequent of pyspellchecker's list."""
    return _english().ordinary


def frequent_words() -> Mapping[str, int]:
    """Return the 3,200 most frequent of them with how often they were counted."""
    return _english().frequent


class _Chinese(NamedTuple):
    pairs: frozenset[str]
    characters: frozenset[str]


class _English(NamedTuple):
    ordinary: frozenset[str]
    frequent: Mapping[str, int]


@cache
def _chinese() -> _Chinese:
    """Read the dictionary once for both: half a million words, which are not kept."""
    pairs, characters = set[str](), set[str]()
    for word, times in _chinese_words():
        if len(word) == 1 and times >= _STANDS_ALONE:
            characters.add(word)
        elif times >= _LEAST_FREQUENT:
            pairs.update(map("".join, pairwise(word)))
    return _Chinese(frozenset(pairs), frozenset(characters))


@cache
def _english() -> _English:
    with gzip.open(_file("pyspellchecker", "spellchecker/resources/en.json.gz")) as file:
        counted: dict[str, int] = json.load(file)
    return _English(
        frozenset(word for word, times in counted.items() if times >= _LEAST_FREQUENT_ENGLISH),
        {word: times for word, times in counted.items() if times >= _FREQUENT_ENGLISH},
    )


def _chinese_words() -> Iterator[tuple[str, int]]:
    with _file("jieba", "jieba/dict.txt").open(encoding="utf-8") as file:
        for line in file:
            if entry := _ENTRY.match(line):
                yield entry[1], int(entry[2])


def _file(distribution: str, path: str) -> Path:
    """Return a package's file. The package is not imported: that would compile and log what is not used."""
    return Path(str(metadata.distribution(distribution).locate_file(path)))
