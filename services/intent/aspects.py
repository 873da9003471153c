"""Which aspects of a product the clauses of a review name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.folding import fold

_ENDS = re.compile(
    r"[,.;!?\n，。；！？、~～]+|\b(?:but|although|though|however)\b|但是|但|不过|可是|就是", re.IGNORECASE
)


@dataclass(frozen=True)
class Clause:
    """A stretch of a review that names at least one aspect."""

    text: str
    aspects: tuple[str, ...]


class Aspects:
    """Words by aspect, in any language; Latin ones begin a word, so that "pack" finds "packaging"."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._named = {
            aspect: re.compile("|".join(_pattern(fold(word)) for word in forms))
            for aspect, forms in words.items()
            if forms
        }

    def clauses(self, review: str) -> list[Clause]:
        """Return the clauses of a review that name an aspect, in their order."""
        parts = [part.strip() for part in _ENDS.split(review)]
        found = [Clause(part, self._of(part)) for part in parts if part]
        return [clause for clause in found if clause.aspects]

    def _of(self, clause: str) -> tuple[str, ...]:
        folded = fold(clause)
        return tuple(aspect for aspect, named in self._named.items() if named.search(folded))


def _pattern(word: str) -> str:
    return rf"\b{re.escape(word)}" if word.isascii() else re.escape(word)
