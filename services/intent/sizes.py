"""Sizes of clothes and shoes that a query writes out: 42码, "size 9.5", XL码, "2XL"."""

import re
from dataclasses import dataclass

_LETTERS = r"[2-6]xl|x{1,4}[sl]"
_SIZE = re.compile(
    r"(?<![0-9.a-z-])(?P<shoe>[1-9]\d(?:\.5)?)\s?码(?P<half>半)?"
    rf"|(?:\bsizes?|尺码|码数)[:：\s]*(?P<named>[1-9]?\d(?:\.\d)?|{_LETTERS}|[sml]|small|medium|large)(?![a-z0-9.])"
    r"|\b(?:us|uk|eur?)\s?(?P<scale>[1-9]?\d(?:\.5)?)(?![a-z0-9.])"
    r"|(?<![0-9.])(?P<scaled>[1-9]?\d(?:\.5)?)\s?(?:us|uk|eur?)\b(?!\s?(?:dollars?|[$¥€£]))"
    rf"|(?<![a-z0-9])(?P<marked>{_LETTERS}|[sml])\s?[码号]"
    rf"|(?<![a-z0-9'’-])(?P<bare>{_LETTERS})(?![a-z0-9-])",
    re.ASCII,
)
_WORDS = {"small": "s", "medium": "m", "large": "l"}


@dataclass(frozen=True)
class Size:
    """A size in lower case, and its place in the query."""

    value: str
    start: int
    end: int


def find_sizes(folded: str) -> list[Size]:
    """Return the sizes of a folded query, left to right."""
    return [Size(_value(match), match.start(), match.end()) for match in _SIZE.finditer(folded)]


def _value(match: re.Match[str]) -> str:
    if match["half"]:
        return f"{match['shoe']}.5"
    value = match[match.lastgroup or 0]
    return _WORDS.get(value, value)
