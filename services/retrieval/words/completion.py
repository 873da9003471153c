"""Completes a beginning from a fixed set of phrases: sorted words, and the phrases that hold each."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from runtime.spelling.pinyin import sound
from services.retrieval.analyser import fold
from services.retrieval.words.packed_texts import PackedTexts

Ranks = NDArray[np.int32]

_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_HAN = re.compile("[\u3400-\u9fff]")
_HAN_RUN = re.compile("[\u3400-\u9fff]+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FUZZY_FROM = 4  # letters; shorter beginnings have too many neighbours
_LOOKED_AT = 64  # best phrases that are looked at one by one
_BEGINS = 1.5  # in natural logarithms of products: what a phrase begins with counts more than what it holds
_NO_RANKS: Ranks = np.zeros(0, np.int32)
_FEW = 1_000  # so many are compared one by one, more are looked up in a table
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Completion:
    """A phrase by its number, and what was typed: the words that it holds, or what it begins with."""

    phrase: int
    score: float
    words: Sequence[str] = ()
    begins: str = ""

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return which parts of the phrase's folded `text` were typed: [start, end) of each."""
        if self.begins:
            return ((0, len(self.begins)),)
        spans = list[tuple[int, int]]()
        for word in self.words:
            at = _word_start(text, word, spans)
            if at >= 0:
                spans.append((at, at + len(word)))
        return _joined(spans)


class Completer:
    """Phrases, by their folded texts in sorted order, with a score each. Never changes, so needs no lock.

    A phrase is looked up by its place in the order of scores: the best of many are then the smallest numbers.
    """

    def __init__(self, folded: Sequence[str], scores: NDArray[np.floating]) -> None:
        """Index `folded`, sorted, and `scores`, floats [n]."""
        self._folded = PackedTexts(folded)
        self._scores = scores.astype(np.float32)
        self.chinese = np.fromiter((_HAN.search(text) is not None for text in folded), np.bool_, len(folded))
        self._ranked = np.argsort(-self._scores, kind="stable")
        self._rank = np.empty(len(folded), np.int32)
        self._rank[self._ranked] = np.arange(len(folded), dtype=np.int32)
        held: dict[str, list[int]] = {}
        for number, text in enumerate(folded):
            for word in dict.fromkeys(_index_words(text)):
                held.setdefault(word, []).append(number)
        self._words = sorted(held)
        sizes = [len(held[word]) for word in self._words]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.intp)])
        flat = chain.from_iterable(held[word] for word in self._words)
        self._ranks = self._rank[np.fromiter(flat, np.intp, int(self._starts[-1]))]

    def text(self, phrase: int) -> str:
        """Return the folded text of a phrase by its number."""
        return self._folded[phrase]

    def complete(self, prefix: str, allowed: NDArray[np.bool_] | None = None) -> list[Completion]:
        """Return up to 128 phrases that go on from `prefix`, best first: each of its words begins a word of
        the phrase, or the whole of it begins the phrase. allowed: bool [n], None for all."""
        typed, words = _typed(prefix)
        if not words:
            return []
        runs, score = _HAN_RUN.findall(typed), self._scores.item
        best_rows = self._best(_common([self._slice(word) for word in words]), allowed, runs)
        completions = [Completion(row, score(row), words) for row in best_rows]
        begun = self._best(self._beginning(typed), allowed, runs)
        completions += [Completion(row, score(row) + _BEGINS, begins=typed) for row in begun]
        best = {each.phrase: each for each in sorted(completions, key=lambda each: each.score)}
        return sorted(best.values(), key=lambda each: -each.score)

    def nearly(self, prefix: str, allowed: NDArray[np.bool_] | None = None) -> list[Completion]:
        """Return up to 64 phrases that go on from `prefix` when one edit is forgiven in each word of four
        letters and more that begins no word, best first."""
        typed, words = _typed(prefix)
        slices = [self._slice(word) for word in words]
        if all(ranks.size for ranks in slices):
            return []
        found = self._best(self._nearly(words, slices), allowed, _HAN_RUN.findall(typed))
        return [Completion(row, self._scores.item(row)) for row in found]

    def _beginning(self, typed: str) -> Ranks:
        first, last = bisect_left(self._folded, typed), bisect_left(self._folded, typed + _LAST)
        return self._rank[first:last]

    def _slice(self, word: str) -> Ranks:
        first, last = bisect_left(self._words, word), bisect_left(self._words, word + _LAST)
        return self._ranks[self._starts[first] : self._starts[last]]

    def _nearly(self, words: list[str], slices: list[Ranks]) -> Ranks:
        """Return the phrases that hold all `words`, those that begin none with one edit; none when one of
        them is like nothing."""
        near = list[Ranks]()
        for word, exact in zip(words, slices, strict=True):
            near.append(exact if exact.size else self._near(word))
            if not near[-1].size:
                return near[-1]
        return _common(near)

    def _near(self, word: str) -> Ranks:
        if len(word) < _FUZZY_FROM or not word.isalpha():
            return _NO_RANKS
        known = next((end for end in range(len(word), 0, -1) if self._begins(word[:end])), 0)
        slices = [self._slice(each) for each in _one_edit(word, known) if self._begins(each)]
        return np.concatenate(slices) if slices else _NO_RANKS

    def _begins(self, text: str) -> bool:
        at = bisect_left(self._words, text)
        return at < len(self._words) and self._words[at].startswith(text)

    def _best(self, ranks: Ranks, allowed: NDArray[np.bool_] | None, runs: list[str]) -> list[int]:
        """Return the best phrases of `ranks` that are allowed and hold the Chinese `runs` as typed."""
        if allowed is not None:
            ranks = ranks[allowed[self._ranked[ranks]]]
        if ranks.size > _LOOKED_AT:
            ranks = np.partition(ranks, _LOOKED_AT)[:_LOOKED_AT]
        rows: list[int] = self._ranked[np.unique(ranks)].tolist()
        return [row for row in rows if all(run in self._folded[row] for run in runs)]


def _typed(prefix: str) -> tuple[str, list[str]]:
    """Return what was typed, folded, and its distinct words."""
    typed = " ".join(fold(prefix).split())
    return typed, list(dict.fromkeys(_TOKEN.findall(typed)))


def _common(slices: list[Ranks]) -> Ranks:
    """Return what is in all of `slices`; it may be named twice."""
    fewest, *others = sorted(slices, key=len)
    for each in others:
        if not fewest.size:
            break
        fewest = fewest[np.isin(fewest, each, kind="table" if each.size > _FEW else None)]
    return fewest


def _index_words(text: str) -> Iterator[str]:
    yield from _TOKEN.findall(text)
    if not text.isascii() and (sounds := [sound(each) for each in _HAN.findall(text)]):
        yield "".join(sounds)
        yield "".join(each[:1] for each in sounds)


def _one_edit(word: str, known: int) -> set[str]:
    """Return the words one edit from `word`: swap, drop, replace, insert (Norvig, "How to Write a Spelling
    Corrector", 2007); only in the first `known` letters, which begin some word, and right after them."""
    cuts = [(word[:at], word[at:]) for at in range(known + 1)]
    swaps = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    drops = {head + tail[1:] for head, tail in cuts if tail}
    others = {head + letter + tail[1:] for head, tail in cuts if tail for letter in _LETTERS}
    return swaps | drops | others | {head + letter + tail for head, tail in cuts for letter in _LETTERS}


def _word_start(text: str, word: str, taken: Sequence[tuple[int, int]]) -> int:
    at = text.find(word)
    while at >= 0:
        begins = at == 0 or not (text[at - 1].isalnum() and text[at - 1].isascii() and word[0].isascii())
        if begins and all(at >= end or at + len(word) <= start for start, end in taken):
            return at
        at = text.find(word, at + 1)
    return -1


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
