"""Words by what is left of them without one character: two that are one slip apart share one of these
(symmetric deletion, Garbe 2012)."""

from collections.abc import Iterable


class Deletions:
    """Finds the words that may be one slip away from a written one."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: dict[str, list[str]] = {}
        for word in words:
            for short in _shortened(word):
                self._words.setdefault(short, []).append(word)

    def near(self, written: str) -> set[str]:
        """Return the words within one edit of `written`, itself too, and some that are two edits away."""
        return {word for short in _shortened(written) for word in self._words.get(short, ())}


def _shortened(word: str) -> set[str]:
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}
