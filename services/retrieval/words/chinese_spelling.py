"""What a mistaken run of Chinese characters was meant to be, from the pairs of characters the products hold.

A noisy channel (Kernighan, Church and Gale, COLING 1990): how likely the run is under a model of character
pairs with Dirichlet smoothing (Zhai and Lafferty, SIGIR 2001), less the cost of the mistake; and whether a
product holds what was meant beside the rest of the query.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.retrieval.lexical import LexicalIndex
from services.retrieval.words.characters import Neighbours
from services.retrieval.words.confusion import homophones, look_alikes, near_homophones
from services.retrieval.words.ordinary import ordinary_characters, ordinary_pairs, ordinary_words

_LONGEST = 24  # characters; a longer run was copied from somewhere, not typed
_PRIOR_PRODUCTS = 5.0  # as many products' worth of trust in a character alone as in its pair
_TITLE_CHARACTERS = 30.0
# In natural logarithms; chosen on mistakes made in words of titles, and on queries without any.
_HOMOPHONE_COST = 6.0
_NEAR_COST = 7.5
_LOOK_ALIKE_COST = 6.5
_OTHER_COST = 12.0
_SWAP_COST = 5.0
_EXTRA_COST = 14.0
_DOUBLED_COST = 3.0
_MISSING_COST = 5.0
_BESIDE_WEIGHT = 4.0
_LEAST_BESIDE = 0.5
_LEAST_GAIN = 2.0
_CONFIDENT_GAIN = 3.5
_CONFIDENT_MARGIN = 0.7
_LOOKED_AT = 8  # likeliest readings that are looked up in the products


def read_tables() -> None:
    """Read what is known of the languages at large, .8 s, so that no query waits for it."""
    ordinary_pairs()
    ordinary_characters()
    ordinary_words()
    homophones("一")
    look_alikes("一")


@dataclass(frozen=True)
class _Reading:
    """A run as it may have been meant, and by how much that is likelier than it as typed."""

    text: str
    gain: float


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    written: str
    cost: float


class ChineseSpeller:
    """Corrects one mistake in a run of Chinese characters that are folded. Reads: no change may overlap."""

    def __init__(self, lexical: LexicalIndex, neighbours: Neighbours) -> None:
        self._lexical = lexical
        self._neighbours = neighbours

    def suspects(self, run: str) -> bool:
        """Return whether a mistake in `run` would be looked for."""
        return 1 < len(run) <= _LONGEST and not all(map(self.holds, map("".join, pairwise(run))))

    def best(self, run: str, others: Sequence[str]) -> tuple[str, bool]:
        """Return what `run` was probably meant to be, and whether that is sure enough to search for it
        unasked; "" when nothing is likelier than the run as typed. others: the query's other runs."""
        readings = self._readings(run, others)
        if not readings:
            return "", False
        margin = readings[0].gain - readings[1].gain if len(readings) > 1 else math.inf
        return readings[0].text, readings[0].gain >= _CONFIDENT_GAIN and margin >= _CONFIDENT_MARGIN

    def _readings(self, run: str, others: Sequence[str]) -> list[_Reading]:
        """Return what is likelier than `run` and beside half of the rest of the query in some product."""
        best: dict[str, float] = {}
        for edit in self._edits(run):
            text = run[: edit.start] + edit.written + run[edit.end :]
            best[text] = max(self._gain(run, edit), best.get(text, -math.inf))
        best.pop(run, None)
        likely = sorted(best, key=lambda text: -best[text])[:_LOOKED_AT]
        beside = {text: self._beside(text, run, others) for text in likely}
        found = [
            _Reading(text, best[text] + _BESIDE_WEIGHT * share)
            for text, share in beside.items()
            if share >= _LEAST_BESIDE
        ]
        return sorted((each for each in found if each.gain > _LEAST_GAIN), key=lambda each: -each.gain)

    def likelihood(self, before: str, text: str) -> float:
        """Return the log probability of `text` after the character `before`, "" for none."""
        total, documents = 0.0, self._lexical.documents
        for character in text:
            alone = (documents(character) + 0.5) / (_TITLE_CHARACTERS * max(len(self._lexical), 1))
            if before:
                together = documents(before + character) + _PRIOR_PRODUCTS * alone
                total += math.log(together / (documents(before) + _PRIOR_PRODUCTS))
            else:
                total += math.log(alone)
            before = character
        return total

    def holds(self, pair: str) -> bool:
        """Return whether a product holds a pair of characters."""
        return self._lexical.documents(pair) > 0

    def _known(self, pair: str) -> bool:
        return self.holds(pair) or pair in ordinary_pairs()

    def _held_pairs(self, text: str) -> set[str]:
        return set(filter(self.holds, map("".join, pairwise(text))))

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

    def _beside(self, text: str, run: str, others: Sequence[str]) -> float:
        """Return the share of the other known pairs that one product holds beside those that are new in
        `text` (all of it where none is): 1 when there are no others, 0 when none holds the new ones."""
        known = self._held_pairs(text)
        new = (known - self._held_pairs(run)) or known
        rest = (known - new).union(*map(self._held_pairs, others)) - new
        if not new:
            return 0.0
        most = self._lexical.most_beside(sorted(new), sorted(rest))
        return most / len(rest) if rest and most >= 0 else float(most >= 0)
