"""Measures and sizes in one spelling: `0.5 L` and `500毫升` both also become the term `500ml`.

A measure becomes its value in the base unit of its family, joined with that unit's name, which is what a
text that writes it so yields anyway. `small`, `medium` and `large` are sizes only where the text says so
(`size M`, `中码`).
"""

import re
from functools import lru_cache

from runtime.units import HAN_UNIT, in_base_unit

# The first digit comes first, so that the search for it is one loop over the characters. A Latin unit ends
# where its word does: `5-in-1` and `2 in 1` are no lengths.
_MEASURE = re.compile(
    r"([0-9](?<![0-9a-wyz.,/][0-9])(?:[0-9]{0,2}(?:,[0-9]{3})+|[0-9]{0,8})(?:\.[0-9]{1,4})?)[ -]?"
    r"(fl\.? oz|fluid ounces?|(?!in ?[0-9])[a-z]++(?![0-9]|[-_'’&][0-9a-z])"
    rf"|\"|''|′′|”|{HAN_UNIT})"
)
_SIZES = {
    "xs": "xsmall extrasmall",
    "xl": "xlarge extralarge 特大 特大号 特大码 加大号 加大码",
    "2xl": "xxl xxlarge 2xlarge",
    "3xl": "xxxl xxxlarge 3xlarge",
    "4xl": "xxxxl 4xlarge",
    "onesize": "均码",
    "sizes": "sizesmall 小号 小码",
    "sizem": "sizemedium 中号 中码",
    "sizel": "sizelarge 大号 大码",
}
SIZES = {spelling: size for size, spellings in _SIZES.items() for spelling in spellings.split()}


_SIZE_OF = re.compile(r"size:? ?(?:small|medium|large|[sml])(?![0-9a-z'’])")
_SIZE_IN_WORDS = re.compile(r"\b(?:extra|xx?|[2-4]x) (?:large|small)\b|\bone size\b")
_HINTS = ("extra ", "x large", "x small", "one size")  # to look for them first is ten times as fast
_HAN_HINTS = ("码", "号", "特大")
_HAN_SIZE = re.compile(r"特大[号码]?|加大[号码]|均码|(?<![特加])[小中大][号码]")


def normalised(folded: str) -> list[tuple[int, str]]:
    """Return the end of each measure and size in a folded text, and its term, in the order of the text."""
    found = [
        (match.end(), term) for match in _MEASURE.finditer(folded) if (term := _measure(match[1], match[2]))
    ]
    if "size" in folded:
        found += [(match.end(), _size(match[0])) for match in _SIZE_OF.finditer(folded)]
    if any(hint in folded for hint in _HINTS):
        found += [(match.end(), _size(match[0])) for match in _SIZE_IN_WORDS.finditer(folded)]
    if any(hint in folded for hint in _HAN_HINTS):
        found += [(match.end(), SIZES[match[0]]) for match in _HAN_SIZE.finditer(folded)]
    found.sort()
    return found


@lru_cache(maxsize=10_000)
def _measure(number: str, unit: str) -> str:
    read = in_base_unit(float(number.replace(",", "")), unit)
    return f"{read[0]:.10g}{read[1]}" if read else ""


def _size(words: str) -> str:
    joined = words.replace(" ", "").replace(":", "")
    return SIZES.get(joined, joined)
