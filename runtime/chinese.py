"""One script for Chinese: traditional characters become simplified ones, character by character.

Phrases would be converted more finely, but then a character would depend on what stands around it, and a
query would miss the title it was copied from.
"""

import re

import opencc

_HAN = [chr(code) for code in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))]
_SIMPLIFIED = {
    ord(traditional): simplified
    for traditional, simplified in zip(
        _HAN, opencc.OpenCC("t2s").convert("\n".join(_HAN)).split("\n"), strict=True
    )
    if traditional != simplified
}
_TRADITIONAL = re.compile(f"[{''.join(map(chr, _SIMPLIFIED))}]")


def simplify(text: str) -> str:
    """Return `text` with simplified Chinese characters; the length stays."""
    return text.translate(_SIMPLIFIED) if _TRADITIONAL.search(text) else text
