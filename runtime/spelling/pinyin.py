"""How Chinese characters sound: pinyin without tones, as it is typed."""

import os
from collections.abc import Mapping
from functools import cache

# pypinyin's own switches: only single characters are asked for, its 47,000 phrases would cost .3 s and 46 MB.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")
from pypinyin.pinyin_dict import pinyin_dict

_TONES = str.maketrans("āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜüńňǹḿ", "aaaaeeeeiiiioooouuuuvvvvvnnnm")
# The rows of GB 2312: the 6,763 characters that simplified Chinese is written in.
_ROWS, _CELLS = range(0xB0, 0xF8), range(0xA1, 0xFF)


def sounds(character: str) -> tuple[str, ...]:
    """Return the readings of a character, the usual one first; none when it is no Chinese one."""
    listed = pinyin_dict.get(ord(character), "").translate(_TONES)
    return tuple(dict.fromkeys(listed.split(","))) if listed else ()


def sound(character: str) -> str:
    """Return the usual reading of a character, "" when it is no Chinese one."""
    return next(iter(sounds(character)), "")


@cache
def simplified_characters() -> str:
    """Return the characters of GB 2312."""
    codes = (bytes((row, cell)) for row in _ROWS for cell in _CELLS)
    return b"".join(codes).decode("gb2312", errors="ignore")


@cache
def characters_by_sound() -> Mapping[str, str]:
    """Return the simplified characters of each reading."""
    found: dict[str, list[str]] = {}
    for character in simplified_characters():
        for each in sounds(character):
            found.setdefault(each, []).append(character)
    return {each: "".join(characters) for each, characters in found.items()}
