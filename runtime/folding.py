"""One width, one case and one Chinese script for the characters of a query, each staying in its place."""

import unicodedata
from functools import lru_cache

from runtime.chinese import simplify


def fold(text: str) -> str:
    """Return `text` in lower case and simplified Chinese with full-width forms narrowed.

    The result has the same length, so that a span of it is the same span of `text`; a character whose
    folded form is not one character (such as ½ or ß) stays as it is.
    """
    return "".join(map(_fold_one, simplify(text)))


@lru_cache(maxsize=8_192)  # of a few thousand characters shops are asked for in
def _fold_one(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).casefold()
    return folded if len(folded) == 1 else character
