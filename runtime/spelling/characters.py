"""Which Chinese characters stand beside which in what names the products."""

import re
from collections.abc import Set
from itertools import pairwise

HAN_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_NONE: Set[str] = frozenset()


class Neighbours:
    """For each character those seen before and after it. It only grows: whether a pair is still held by a
    product, the lexical index tells. Not thread-safe: changes and reads must not overlap."""

    def __init__(self) -> None:
        self._after: dict[str, set[str]] = {}
        self._before: dict[str, set[str]] = {}

    def put(self, text: str) -> None:
        """Add the pairs of a folded text."""
        if text.isascii():
            return
        for run in HAN_RUN.findall(text):
            for first, second in pairwise(run):
                self._after.setdefault(first, set()).add(second)
                self._before.setdefault(second, set()).add(first)

    def between(self, first: str, second: str) -> Set[str]:
        """Return the characters that were seen after `first` and before `second`."""
        return self._after.get(first, _NONE) & self._before.get(second, _NONE)
