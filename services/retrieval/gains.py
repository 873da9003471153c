"""What the terms of queries add to the scores of documents, kept while no document changes."""

from dataclasses import dataclass

import numpy as np

from services.retrieval.fusion import Rows, Scores

_LEAST_ROOM, _ROOM_PER_ROW = 64 << 20, 640  # bytes: the first is what the second makes of 100,000 rows


@dataclass(frozen=True)
class Gains:
    """What a term adds to the scores of `rows`, distinct; to those of all rows when that is None."""

    rows: Rows | None
    values: Scores

    @property
    def nbytes(self) -> int:
        """The memory they take."""
        return self.values.nbytes + (0 if self.rows is None else self.rows.nbytes)

    def add_to(self, scores: Scores) -> None:
        """Add them to `scores`, float32 [n], of all rows."""
        if self.rows is None:
            scores[: self.values.size] += self.values
        else:
            np.add.at(scores, self.rows, self.values)  # two thirds of the time of `scores[rows] += values`

    def at(self, rows: Rows, n: int) -> Scores:
        """Return what the term adds to `rows` of the first `n`: 0 where it does not occur."""
        if self.rows is None:
            return self.values[rows]
        spread_out = np.zeros(n, np.float32)
        spread_out[self.rows] = self.values
        return spread_out[rows]


class KeptGains:
    """The gains of the terms that were asked for last, at most 640 bytes of them a row or 64 MiB.

    Of 1,000,000 rows those of a query's terms take 5 of a search's 13 ms when none is kept.

    Threads may use it at once: each step is one change of a mapping, and what is lost is computed anew. Half
    of the room is for terms that are new; when it is full, those of the half before go that were not asked
    for meanwhile.
    """

    def __init__(self, rows: int = 0) -> None:
        self._young: dict[str, Gains] = {}
        self._old: dict[str, Gains] = {}
        self._bytes = 0  # of the young ones
        self._room = _room(rows)

    def get(self, term: str) -> Gains | None:
        """Return the gains of `term` if they are kept."""
        gains = self._young.get(term)
        if gains is None and (gains := self._old.get(term)) is not None:
            self.put(term, gains)
        return gains

    def put(self, term: str, gains: Gains) -> None:
        """Keep the gains of `term` for now."""
        if self._bytes + gains.nbytes > self._room // 2:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young[term] = gains
        self._bytes += gains.nbytes

    def clear(self, rows: int) -> None:
        """Forget all: there are so many rows now."""
        if self._young or self._old:
            self._old, self._young, self._bytes = {}, {}, 0
        self._room = _room(rows)


def _room(rows: int) -> int:
    return max(_LEAST_ROOM, _ROOM_PER_ROW * rows)
