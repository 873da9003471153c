"""Which row each embedding of the graph belongs to, and the embeddings written since the graph was built."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.retrieval import fusion
from services.retrieval.fusion import Rows
from services.retrieval.graph import Graph
from services.retrieval.inner_products import Vectors

Places = NDArray[np.int32]

_GONE = -1
# So many that pass a filter are scored and fused exactly in 10 ms; in half precision in as much, and then
# only the nearest are.
_MANY = 50_000


class Scoring(Protocol):
    """Gives exact scores of rows."""

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """Return the inner products of `query` with `rows`."""


class Positions:
    """A log of embeddings: each one written gets the next position, and a replaced or deleted one is gone.

    The graph holds the first positions, those after it are scored one by one. A position's embedding never
    changes, so a graph can be built from positions while rows change and move; `install` then gives the
    positions new numbers.
    """

    def __init__(self, rows: int) -> None:
        self._row_of: Places = np.arange(rows, dtype=np.int32)
        self._count = rows
        self._position_of: Places = np.arange(rows, dtype=np.int32)
        self._graph: Graph | None = None
        self._alive = np.zeros(0, np.uint8)  # bits of the graph's positions that are not gone, lowest first
        self.gone = 0  # of the graph's positions

    def __len__(self) -> int:
        return self._count

    @property
    def ready(self) -> bool:
        """Whether there is a graph."""
        return self._graph is not None

    @property
    def graph(self) -> Graph | None:
        """The graph in use."""
        return self._graph

    @property
    def covered(self) -> int:
        """How many positions the graph holds."""
        return len(self._graph) if self._graph is not None else 0

    def put(self, row: int) -> None:
        """Note that the embedding at `row` is a new one."""
        self._position_of = _room(self._position_of, row + 1)
        self._row_of = _room(self._row_of, self._count + 1)
        self._forget(row)
        self._row_of[self._count] = row
        self._position_of[row] = self._count
        self._count += 1

    def remove(self, row: int, last: int) -> None:
        """Note that the embedding at `row` is gone and that of the `last` row has moved there."""
        self._forget(row)
        if row != last:
            position = self._position_of[last]
            self._position_of[row] = position
            self._row_of[position] = row
        self._position_of[last] = _GONE

    def rows(self, start: int, end: int) -> Places:
        """Return a copy of the rows of positions `start` … `end` − 1, −1 for those that are gone."""
        return self._row_of[start:end].copy()

    def nearest(self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None, exact: Scoring) -> Rows:
        """Return about the `count` rows nearest to `query` in ascending order.

        They are fewer when few are allowed, or none near `query`; not where more are allowed than there is
        time to score exactly, all of which are then scored roughly.
        """
        assert self._graph is not None
        passing = self._passing(allowed)
        found = self._graph.nearest(query, count, passing)
        if found.size < count and passing is not None and int(np.bitwise_count(passing).sum()) > _MANY:
            found = self._graph.scanned(query, count, passing)
        rows = self._row_of[found].astype(np.intp)
        recent = self._row_of[self.covered : self._count].astype(np.intp)
        recent = recent[recent >= 0]
        if allowed is not None:
            recent = recent[allowed[recent]]
        if recent.size > count:
            recent = recent[fusion.best(exact.scores(query, recent), count)]
        return np.sort(np.concatenate([rows, recent]))

    def install(self, graph: Graph, kept: NDArray[np.int64], end: int) -> None:
        """Take `graph`, which holds the old positions `kept`, all below `end`, in this order."""
        rows = np.concatenate([self._row_of[kept], self._row_of[end : self._count]])
        self._row_of, self._count, self._graph = rows, rows.size, graph
        here = np.flatnonzero(rows != _GONE)
        self._position_of[rows[here]] = here
        alive = rows[: kept.size] != _GONE
        self._alive = np.packbits(alive, bitorder="little")
        self.gone = int(kept.size - np.count_nonzero(alive))

    def _forget(self, row: int) -> None:
        position = int(self._position_of[row])
        if position == _GONE:
            return
        self._row_of[position] = _GONE
        if position < self.covered:
            self._alive[position >> 3] &= ~np.uint8(1 << (position & 7))
            self.gone += 1

    def _passing(self, allowed: NDArray[np.bool_] | None) -> NDArray[np.uint8] | None:
        if allowed is None:
            return self._alive if self.gone else None
        rows = self._row_of[: self.covered]  # −1 reads the last row's, and is struck out after
        return np.packbits(allowed[rows], bitorder="little") & self._alive


def _room(places: Places, size: int) -> Places:
    if size <= places.size:
        return places
    grown = np.full(max(size, 3 * places.size // 2, 1024), _GONE, np.int32)
    grown[: places.size] = places
    return grown
