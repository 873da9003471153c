"""Chinese words of the language at large: what is one of them is no mistake, though no product holds it."""

import re
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path

_LEAST_FREQUENT = 5  # in the corpora that jieba's dictionary was counted on; rarer ones are mostly names
_ENTRY = re.compile("^([\u3400-\u9fff]{2,4}) ([0-9]+) ", re.MULTILINE)


@cache
def ordinary_pairs() -> frozenset[str]:
    """Return the pairs of characters inside the words of jieba's dictionary, some 120,000; .4 s once."""
    # Its file is read without importing jieba, which would compile and log what is not used here.
    listed = metadata.distribution("jieba").locate_file("jieba/dict.txt")
    text = Path(str(listed)).read_text(encoding="utf-8")
    words = (word for word, times in _ENTRY.findall(text) if int(times) >= _LEAST_FREQUENT)
    return frozenset(first + second for word in words for first, second in pairwise(word))
