"""What the terms of queries add to the scores of documents, kept while no document changes."""

from dataclasses import dataclass

import numpy as np

from services.retrieval.fusion import Rows, Scores

_MOST_KEPT_BYTES = 64 << 20


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
    """The gains of the terms that were asked for last, at most 64 MiB of them.

    Threads may use it at once: each step is one change of a mapping, and what is lost is computed anew. Half
    of the room is for terms that are new; when it is full, those of the half before go that were not asked
    for meanwhile.
    """

    def __init__(self) -> None:
        self._young: dict[str, Gains] = {}
        self._old: dict[str, Gains] = {}
        self._bytes = 0  # of the young ones

    def get(self, term: str) -> Gains | None:
        """Return the gains of `term` if they are kept."""
        gains = self._young.get(term)
        if gains is None and (gains := self._old.get(term)) is not None:
            self.put(term, gains)
        return gains

    def put(self, term: str, gains: Gains) -> None:
        """Keep the gains of `term` for now."""
        if self._bytes + gains.nbytes > _MOST_KEPT_BYTES // 2:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young[term] = gains
        self._bytes += gains.nbytes

    def clear(self) -> None:
        """Forget all."""
        if self._young or self._old:
            self._old, self._young, self._bytes = {}, {}, 0
