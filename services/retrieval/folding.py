"""One spelling for texts that differ in case or width alone."""

import unicodedata


def fold(text: str) -> str:
    """Return `text` in one width and one case, without surrounding blanks."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
