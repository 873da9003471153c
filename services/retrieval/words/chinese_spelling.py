"""What a mistaken run of Chinese characters was meant to be: what products hold, beside the query's rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.spelling.characters import Neighbours
from runtime.spelling.chinese import ChineseMistakes
from services.retrieval.lexical import LexicalIndex

_TITLE_CHARACTERS = 30.0
# In natural logarithms, as the costs of mistakes.
_BESIDE_WEIGHT = 4.0
_LEAST_BESIDE = 0.5
_LEAST_GAIN = 2.0
_CONFIDENT_GAIN = 3.5
_CONFIDENT_MARGIN = 0.7
_LOOKED_AT = 8  # likeliest readings that are looked up in the products


@dataclass(frozen=True)
class _Reading:
    """A run as it may have been meant, and by how much that is likelier than it as typed."""

    text: str
    gain: float


class ChineseSpeller(ChineseMistakes):
    """Corrects one mistake in a run of Chinese characters that are folded. Reads: no change may overlap."""

    def __init__(self, lexical: LexicalIndex, neighbours: Neighbours) -> None:
        super().__init__(lexical, neighbours, _TITLE_CHARACTERS)
        self._lexical = lexical

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
        gains = self.gains(run)
        likely = sorted(gains, key=lambda text: -gains[text])[:_LOOKED_AT]
        beside = {text: self._beside(text, run, others) for text in likely}
        found = [
            _Reading(text, gains[text] + _BESIDE_WEIGHT * share)
            for text, share in beside.items()
            if share >= _LEAST_BESIDE
        ]
        return sorted((each for each in found if each.gain > _LEAST_GAIN), key=lambda each: -each.gain)

    def _beside(self, text: str, run: str, others: Sequence[str]) -> float:
        """Return the share of the other known pairs that one product holds beside those that are new in
        `text` (all of it where none is): 1 when there are no others, 0 when none holds the new ones."""
        known = self.held_pairs(text)
        new = (known - self.held_pairs(run)) or known
        rest = (known - new).union(*map(self.held_pairs, others)) - new
        if not new:
            return 0.0
        most = self._lexical.most_beside(sorted(new), sorted(rest))
        return most / len(rest) if rest and most >= 0 else float(most >= 0)
