"""A filter's text as tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.retrieval.filters.problems import FilterError

Kind = Literal["word", "string", "symbol", "end"]

# A word is what needs no quotes: names, numbers, dates, Chinese, emoji.
_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    |(?P<symbol><=|>=|!=|[()<>=:,])
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<word>[^\s()<>=:,!"'\\]+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPABLE = "\"'\\"


@dataclass(frozen=True)
class Token:
    """A piece of a filter from `position` up to `end`; a string's `text` is without quotes and escapes."""

    kind: Kind
    text: str
    position: int
    end: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a filter, the last one of kind "end". Raises FilterError on a character of none."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise FilterError(position, _complaint(text[position]))
        if found["string"] is not None:
            yield Token("string", _unescaped(found["string"], position), position, found.end())
        elif found["symbol"] is not None:
            yield Token("symbol", found["symbol"], position, found.end())
        elif found["word"] is not None:
            yield Token("word", found["word"], position, found.end())
        position = found.end()
    yield Token("end", "", position, position)


def quoted(text: str) -> str:
    """Return `text` as a string of the language."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _complaint(character: str) -> str:
    if character in "\"'":
        return f"expected the closing {character} of this string, found the end"
    if character == "!":
        return "expected != here; a condition is negated by NOT or -"
    return "expected a name, a value or an operator, found a backslash outside a string"


def _unescaped(written: str, position: int) -> str:
    for escape in _ESCAPE.finditer(written):
        if escape[1] not in _ESCAPABLE:
            raise FilterError(
                position + escape.start(), f"expected \\\", \\' or \\\\ in a string, found {escape[0]!r}"
            )
    return _ESCAPE.sub(r"\1", written[1:-1])
