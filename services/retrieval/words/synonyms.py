"""Synonyms from a file, looked for beside what a query says, so that a changed file needs no new index.

One group a line: `sofa, couch, 沙发` are searched for each other, `tee => t-shirt, T恤` one way only; `#`
begins a comment.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import StartupError
from services.retrieval.analyser import analyse, fold

SHIPPED = Path(__file__).with_name("synonyms.txt")
_MOST_GROUPS = 100_000
_SEPARATOR = re.compile("[,，]")
_LATIN = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Group:
    """Phrases that are looked for in a query, and those whose terms are then searched for too."""

    written: tuple[str, ...]
    meant: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """A phrase of a query by its terms, and the terms of each of its synonyms."""

    terms: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]


class Synonyms:
    """Groups of synonyms, ready to be looked up in queries."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._meant: dict[str, dict[str, None]] = {}
        for group in groups:
            for phrase in group.written:
                others = (each for each in group.meant if fold(each) != fold(phrase))
                self._meant.setdefault(_folded(phrase), {}).update(dict.fromkeys(others))
        lengths: dict[str, set[int]] = {}
        for phrase in self._meant:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._lengths = {first: sorted(each, reverse=True) for first, each in lengths.items()}
        self._heard: dict[str, Heard] = {}

    def __len__(self) -> int:
        return len(self._meant)

    @classmethod
    def read(cls, path: Path) -> "Synonyms":
        """Read a file. Raises StartupError naming the file, or the line that is no group and what one is."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise StartupError(
                f"--synonyms {path} cannot be read: {error}; name a UTF-8 text file"
            ) from error
        groups = [
            _group(f"{path}, line {number}", text)
            for number, line in enumerate(lines, start=1)
            if (text := line.partition("#")[0].strip())
        ]
        if len(groups) > _MOST_GROUPS:
            raise StartupError(f"{path} holds {len(groups)} groups; {_MOST_GROUPS} are the most")
        return cls(groups)

    def heard(self, query: str) -> list[Heard]:
        """Return the phrases of `query` that have synonyms, each once."""
        return [self._heard_as(written) for written in dict.fromkeys(self._phrases_of(_folded(query)))]

    def _phrases_of(self, text: str) -> Iterator[str]:
        """Yield the phrases that `text` is written with from left to right, the longest where several are."""
        start = 0
        while start < len(text):
            for length in self._lengths.get(text[start], ()):
                end = start + length
                phrase = text[start:end]
                if phrase in self._meant and _is_whole(phrase, text[start - 1 : start], text[end : end + 1]):
                    yield phrase
                    start = end
                    break
            else:
                start += 1

    def _heard_as(self, written: str) -> Heard:
        heard = self._heard.get(written)
        if heard is None:
            others = (tuple(dict.fromkeys(analyse(phrase))) for phrase in self._meant[written])
            heard = self._heard[written] = Heard(tuple(dict.fromkeys(analyse(written))), tuple(others))
        return heard


def _group(place: str, line: str) -> Group:
    written, arrow, meant = line.partition("=>")
    left, right = _phrases(place, written), _phrases(place, meant) if arrow else ()
    if "=>" in meant:
        raise StartupError(f"{place}: more than one =>; write each direction on a line of its own")
    if not arrow and len(left) < 2:
        raise StartupError(f"{place}: {line[:60]!r} is one phrase alone; write `a, b` or `a => b`")
    return Group(left, right or left)


def _phrases(place: str, listed: str) -> tuple[str, ...]:
    phrases = tuple(phrase.strip() for phrase in _SEPARATOR.split(listed))
    for phrase in phrases:
        if not analyse(phrase):
            raise StartupError(f"{place}: {phrase[:60]!r} holds no word; write phrases parted by commas")
    return phrases


def _folded(text: str) -> str:
    return " ".join(fold(text).split())


def _is_whole(phrase: str, before: str, after: str) -> bool:
    """Tell whether a phrase stands alone between two characters, "" at an end: Latin ones are found whole,
    Chinese ones anywhere."""
    cut_before = phrase[0].isascii() and before in _LATIN
    cut_after = phrase[-1].isascii() and after in _LATIN
    return not (cut_before or cut_after)
