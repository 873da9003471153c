"""Synonyms from a file, looked for beside what a query says, so that a changed file needs no new index.

One group a line: `sofa, couch, 沙发` are searched for each other, `tee => t-shirt, T恤` one way only; `#`
begins a comment.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import StartupError
from services.retrieval.analyser import analyse, fold

SHIPPED = Path(__file__).with_name("synonyms.txt")
_MOST_GROUPS = 100_000
_SEPARATOR = re.compile("[,，]")


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
        longest_first = sorted(self._meant, key=lambda phrase: (-len(phrase), phrase))
        self._written = re.compile("|".join(map(_pattern, longest_first))) if longest_first else None

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
        if self._written is None:
            return []
        found = dict.fromkeys(self._written.findall(_folded(query)))
        return [self._heard(written) for written in found]

    def _heard(self, written: str) -> Heard:
        others = (tuple(dict.fromkeys(analyse(phrase))) for phrase in self._meant[written])
        return Heard(tuple(dict.fromkeys(analyse(written))), tuple(others))


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


def _pattern(phrase: str) -> str:
    """Return the pattern of a phrase: Latin words are found whole, Chinese ones anywhere."""
    begins = r"(?<![0-9a-z])" if phrase[0].isascii() else ""
    return begins + re.escape(phrase) + (r"(?![0-9a-z])" if phrase[-1].isascii() else "")
