"""What a mistaken run of Chinese characters may have been meant to be, from the pairs that texts hold.

A noisy channel (Kernighan, Church and Gale, COLING 1990): how likely the run is under a model of character
pairs with Dirichlet smoothing (Zhai and Lafferty, SIGIR 2001), less the cost of the mistake.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from runtime.spelling.characters import Neighbours
from runtime.spelling.confusion import homophones, look_alikes, near_homophones
from runtime.spelling.ordinary import ordinary_characters, ordinary_pairs, ordinary_words

_LONGEST = 24  # characters; a longer run was copied from somewhere, not typed
_PRIOR_TEXTS = 5.0  # as many texts' worth of trust in a character alone as in its pair
# In natural logarithms; chosen on mistakes made in words of titles, and on queries without any.
_HOMOPHONE_COST = 6.0
_NEAR_COST = 7.5
_LOOK_ALIKE_COST = 6.5
_OTHER_COST = 12.0
_SWAP_COST = 5.0
_EXTRA_COST = 14.0
_DOUBLED_COST = 3.0
_MISSING_COST = 5.0


def read_tables() -> None:
    """Read what is known of the languages at large, .8 s, so that no query waits for it."""
    ordinary_pairs()
    ordinary_characters()
    ordinary_words()
    homophones("一")
    look_alikes("一")


class Counts(Protocol):
    """Texts, and how many of them hold a character or a pair of them."""

    def __len__(self) -> int:
        """Return the number of texts."""

    def documents(self, term: str) -> int:
        """Return how many of them hold `term`."""


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    written: str
    cost: float


class ChineseMistakes:
    """Finds one mistake in a run of Chinese characters that are folded.

    `counts` are of the texts that people write about, of `characters` Chinese characters each on average.
    """

    def __init__(self, counts: Counts, neighbours: Neighbours, characters: float) -> None:
        self._counts = counts
        self._neighbours = neighbours
        self._characters = characters

    def suspects(self, run: str) -> bool:
        """Return whether a mistake in `run` would be looked for."""
        return 1 < len(run) <= _LONGEST and not all(map(self.holds, map("".join, pairwise(run))))

    def gains(self, run: str) -> dict[str, float]:
        """Return what `run` may have been meant to be, each with how much likelier it is than the run as
        typed, in natural logarithms, less the cost of the mistake; most are below 0."""
        best: dict[str, float] = {}
        for edit in self._edits(run):
            text = run[: edit.start] + edit.written + run[edit.end :]
            best[text] = max(self._gain(run, edit), best.get(text, -math.inf))
        best.pop(run, None)
        return best

    def likelihood(self, before: str, text: str) -> float:
        """Return the log probability of `text` after the character `before`, "" for none."""
        total, documents = 0.0, self._counts.documents
        for character in text:
            alone = (documents(character) + 0.5) / (self._characters * max(len(self._counts), 1))
            if before:
                together = documents(before + character) + _PRIOR_TEXTS * alone
                total += math.log(together / (documents(before) + _PRIOR_TEXTS))
            else:
                total += math.log(alone)
            before = character
        return total

    def holds(self, pair: str) -> bool:
        """Return whether a text holds a pair of characters."""
        return self._counts.documents(pair) > 0

    def held_pairs(self, text: str) -> set[str]:
        """Return the pairs of `text` that a text holds."""
        return set(filter(self.holds, map("".join, pairwise(text))))

    def _known(self, pair: str) -> bool:
        return self.holds(pair) or pair in ordinary_pairs()

    def _lonely(self, run: str) -> list[int]:
        """Return the places of characters that stand in no pair that is held, and in no ordinary word."""
        known = [self._known(pair) for pair in map("".join, pairwise(run))]
        alone = ordinary_characters()
        return [
            at for at in range(len(run)) if run[at] not in alone and not any(known[max(at - 1, 0) : at + 1])
        ]

    def _edits(self, run: str) -> Iterator[_Edit]:
        lonely = self._lonely(run)
        for at in lonely:
            yield from self._substitutions(run, at)
            if 0 < at < len(run) - 1 and self.holds(run[at - 1] + run[at + 1]):
                yield _Edit(at, at + 1, "", _EXTRA_COST)
        for at in {place for each in lonely for place in (each - 1, each) if 0 <= place < len(run) - 1}:
            yield _Edit(at, at + 2, run[at + 1] + run[at], _SWAP_COST)
            missing = self._neighbours.between(run[at], run[at + 1])
            yield from (_Edit(at + 1, at + 1, each, _MISSING_COST) for each in missing)
        doubled = [at for at in range(len(run) - 1) if run[at] == run[at + 1] and self._goes_on(run, at)]
        yield from (_Edit(at, at + 1, "", _DOUBLED_COST) for at in doubled if not self.holds(run[at] * 2))

    def _goes_on(self, run: str, at: int) -> bool:
        """Return whether the character that is doubled at `at` makes a held pair with what stands around."""
        return any(
            self.holds(pair)
            for pair in (run[max(at - 1, 0) : at + 1], run[at + 1 : at + 3])
            if len(pair) == 2
        )

    def _substitutions(self, run: str, at: int) -> Iterator[_Edit]:
        before, after = run[at - 1 : at] if at else "", run[at + 1 : at + 2]
        for cost, alike in (
            (_HOMOPHONE_COST, homophones(run[at])),
            (_NEAR_COST, near_homophones(run[at])),
            (_LOOK_ALIKE_COST, look_alikes(run[at])),
            (_OTHER_COST, self._neighbours.between(before, after)),
        ):
            for each in alike:
                if (before and self.holds(before + each)) or (after and self.holds(each + after)):
                    yield _Edit(at, at + 1, each, cost)

    def _gain(self, run: str, edit: _Edit) -> float:
        before, after = run[edit.start - 1 : edit.start] if edit.start else "", run[edit.end : edit.end + 1]
        meant = self.likelihood(before, edit.written + after)
        return meant - self.likelihood(before, run[edit.start : edit.end] + after) - edit.cost
