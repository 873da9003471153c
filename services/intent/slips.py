"""How likely it is that a hurried writer meant one Latin word by another, one edit away."""

import math

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")

# In natural logarithms, like how many texts hold a word.
_SWAPPED, _DOUBLED, _LEFT_OUT, _PUT_IN, _NEIGHBOUR, _VOWEL, _OTHER = 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 6.0
_FIRST_LETTER = 2.0  # people rarely miss it (Kukich, ACM Computing Surveys 24(4), 1992)


def slip_cost(written: str, meant: str) -> float:
    """Return what it costs to have typed `written` for `meant`: infinite when they are not one edit apart.

    An edit exchanges two letters side by side, or leaves out, puts in or replaces one.
    """
    at = alike_until(written, meant)
    typed, right = written[at:], meant[at:]
    first = _FIRST_LETTER if at == 0 else 0.0
    if len(typed) == len(right) > 0:
        return first + _replaced(typed, right)
    if typed[1:] == right:
        return first + (_DOUBLED if written[at : at + 1] == written[at - 1 : at] else _PUT_IN)
    if typed == right[1:]:
        return first + (_DOUBLED if meant[at : at + 1] == meant[at - 1 : at] else _LEFT_OUT)
    return math.inf


def alike_until(one: str, other: str) -> int:
    """Return with how many characters both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _replaced(typed: str, right: str) -> float:
    if typed[2:] == right[2:] and typed[:2] == right[1::-1]:
        return _SWAPPED
    if typed[1:] != right[1:]:
        return math.inf
    if _beside(typed[0], right[0]):
        return _NEIGHBOUR
    return _VOWEL if {typed[0], right[0]} <= _VOWELS else _OTHER


def _beside(one: str, other: str) -> bool:
    """Whether two letters are neighbours in a row of the keyboard."""
    return any(abs(row.find(one) - row.find(other)) == 1 for row in _ROWS if one in row and other in row)
