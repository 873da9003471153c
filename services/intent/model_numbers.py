"""Model numbers and SKUs in a query: WH-1000XM4, RTX4090, 100012043978."""

import re

Span = tuple[int, int]

_TOKEN = re.compile(
    r"(?<![a-z0-9._/-])(?=[a-z._/-]*[0-9])[a-z0-9]+(?:[-_/.][a-z0-9]+)*(?![a-z0-9])", re.ASCII
)
# What mixes digits and letters without naming a model: measures, sizes, dimensions, resolutions, generations.
_OTHER = re.compile(
    r"\d+(?:\.\d+)?[-]?(?:[a-z]{1,2}|inch|watts?|mah|pcs|pack|piece|year|years|oz|lbs?|khz|ghz|mhz|lumens?)"
    r"|\d+(?:\.\d+)?[a-z]{0,2}(?:[x/-]\d+(?:\.\d+)?[a-z]{0,2})+"
    r"|\d+-in-\d+"
    r"|(?:spf|upf|mp|ddr|usb|wifi|ip|size|us|eu|uk)-?\d+(?:\.\d+)?"
)
_SKU = re.compile(r"\d{8,14}")
_LEAST_CHARACTERS = 5


def find_model_numbers(folded: str) -> list[Span]:
    """Return the spans of model numbers in a folded query, left to right.

    A model number mixes at least two letters with three digits, or with two where a hyphen parts them; a SKU
    is eight to fourteen digits.
    """
    return [match.span() for match in _TOKEN.finditer(folded) if _is_model_number(match[0])]


def is_model_number(folded: str) -> bool:
    """Whether a folded query is one model number and nothing else."""
    bare = folded.strip()
    return find_model_numbers(bare) == [(0, len(bare))]


def _is_model_number(token: str) -> bool:
    if _SKU.fullmatch(token):
        return True
    digits = sum(character.isdigit() for character in token)
    letters = sum(character.isalpha() for character in token)
    if len(token) < _LEAST_CHARACTERS or letters < 2 or _OTHER.fullmatch(token):
        return False
    return digits >= 3 or (digits == 2 and "-" in token)
