"""How queries and patterns are compared."""

import unicodedata


def fold(text: str) -> str:
    """Return `text` in one case and width, with single blanks: "Ｔ恤  Black" is "t恤 black"."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
