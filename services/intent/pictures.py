"""Emoji in a query: they say nothing that a shop's words do not, and the model was taught on words."""

import re

# Emoji and dingbats, with what joins, colours and flags them.
_JOINS = "\u200d\u20e3\ufe0f\U000e0020-\U000e007f"
_PICTURES = re.compile(f"[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff{_JOINS}]")


def without_pictures(query: str) -> str:
    """Return `query` with a space in place of each emoji, so that all else keeps its place; as it is where
    it consists of nothing else."""
    words = _PICTURES.sub(" ", query)
    return query if not words or words.isspace() else words
