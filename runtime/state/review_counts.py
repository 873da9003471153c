"""What reviews say of products, in memory, so that a search reads the counts of its candidates in no time."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.reviews_pb2 import AspectColumns, AspectSummary, ReviewColumns, ReviewSummary
from runtime.state.reviews import WHOLE, Tally

_FIRST_ROWS, _FIRST_ASPECTS = 1024, 8


class ReviewCounts:
    """Counts by product and aspect; row 0 is that of every product without reviews."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._aspects: dict[str, int] = {WHOLE: 0}
        self._counts: NDArray[np.int32] = np.zeros((_FIRST_ROWS, _FIRST_ASPECTS, 3), dtype=np.int32)

    def put(self, tallies: Iterable[Tally]) -> None:
        """Let these tallies be what counts."""
        for tally in tallies:
            row = self._rows.setdefault(tally.product_id, len(self._rows) + 1)
            aspect = self._aspects.setdefault(tally.aspect, len(self._aspects))
            self._make_room(row, aspect)
            self._counts[row, aspect] = tally.counts

    def columns(self, ids: Sequence[str]) -> ReviewColumns | None:
        """Return what reviews say of the products `ids`; None when they say nothing of any."""
        rows = np.array([self._rows.get(each, 0) for each in ids], dtype=np.intp)
        if not rows.any():
            return None
        found = self._counts[rows]  # [n, aspects, 3]
        named: list[bool] = np.any(found, axis=(0, 2)).tolist()
        positive, neutral, negative = found[:, 0].T.tolist()
        columns = ReviewColumns(positive=positive, neutral=neutral, negative=negative)
        for aspect, place in self._aspects.items():
            if aspect != WHOLE and named[place]:
                positive, neutral, negative = found[:, place].T.tolist()
                told = AspectColumns(positive=positive, neutral=neutral, negative=negative)
                columns.aspects[aspect].CopyFrom(told)
        return columns

    def summary(self, product_id: str) -> ReviewSummary | None:
        """Return what reviews say of one product, None when there are none."""
        found: list[list[int]] = self._counts[self._rows.get(product_id, 0)].tolist()
        if not any(found[0]):
            return None
        named = [(name, found[place]) for name, place in self._aspects.items() if name != WHOLE]
        named = sorted((each for each in named if any(each[1])), key=lambda each: (-sum(each[1]), each[0]))
        positive, neutral, negative = found[0]
        return ReviewSummary(
            positive=positive,
            neutral=neutral,
            negative=negative,
            positive_share=positive / sum(found[0]),
            negative_share=negative / sum(found[0]),
            aspects=[_aspect(name, counts) for name, counts in named],
        )

    def _make_room(self, row: int, aspect: int) -> None:
        rows, aspects, _ = self._counts.shape
        if row < rows and aspect < aspects:
            return
        larger = np.zeros(
            (2 * row if row >= rows else rows, 2 * aspect if aspect >= aspects else aspects, 3),
            dtype=np.int32,
        )
        larger[:rows, :aspects] = self._counts
        self._counts = larger


def _aspect(name: str, counts: Sequence[int]) -> AspectSummary:
    positive, neutral, negative = counts
    return AspectSummary(
        aspect=name,
        positive=positive,
        neutral=neutral,
        negative=negative,
        positive_share=positive / sum(counts),
        negative_share=negative / sum(counts),
    )
