"""Inner-product search over embeddings of rows that change in place: exact while few, a graph when many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.retrieval.building import GraphBuilder
from services.retrieval.fusion import Rows, Spread
from services.retrieval.inner_products import Vectors, inner_products, inner_products_of
from services.retrieval.locking import ReadWriteLock
from services.retrieval.moments import EmbeddingMoments
from services.retrieval.positions import Positions

# Measured on two cores, 384 wide: scanning 20,000 rows takes .9 ms, the graph .5 ms at any size.
EXACT_ROWS = 20_000
# So many rows that pass a filter are scored one by one, in 1.7 ms. The graph is slower the fewer pass, and
# finds few of them when they lie far from the query: .33 of the nearest 100 where it held the farthest fifth.
_SCANNED_ROWS = 10_000
# From this share of all rows on, scoring every row in the order of memory is quicker: 5 ms for 100,000, while
# 10,000 here and there take 1.7.
_SCANNED_SHARE = 0.3


class VectorIndex:
    """The embeddings of rows 0 … n − 1.

    Up to `exact_rows` rows every one is scored: recall is exact. Beyond, an immutable HNSW graph holds most
    of them and those written since it was built are scored exactly; a thread beside builds the next graph
    and takes the lock only to put it in place. Changes need `lock` for writing, searches for reading.
    """

    def __init__(
        self, dimension: int, lock: ReadWriteLock | None = None, exact_rows: int = EXACT_ROWS
    ) -> None:
        self.dimension = dimension
        self._exact_rows = exact_rows
        self._matrix = np.zeros((1024, dimension), np.float32)
        self._rows = 0
        self._moments = EmbeddingMoments(dimension)
        self._positions: Positions | None = None
        self._builder = GraphBuilder(dimension, lock or ReadWriteLock(), self)
        self.state = 0  # grows with every change

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_matrix": self._matrix[: self._rows], "_builder": None}

    def share(self, lock: ReadWriteLock) -> None:
        """Build graphs under the lock of whoever holds this; call it before anything is changed."""
        self._builder = GraphBuilder(self.dimension, lock, self)
        if self._positions is not None:
            self._builder.consider(self._positions)

    def __len__(self) -> int:
        return self._rows

    @property
    def building(self) -> bool:
        """Whether the next graph is being built."""
        return self._builder.building

    @property
    def approximate(self) -> bool:
        """Whether searches use a graph."""
        return self._rows > self._exact_rows and self._positions is not None and self._positions.ready

    def put(self, row: int, embedding: Vectors) -> None:
        """Store `embedding`, float32 [dimension], at `row`, which is at most the next new one."""
        if row < self._rows:
            if np.array_equal(self._matrix[row], embedding):
                return
            self._moments.remove(self._matrix[row])
        self.state += 1
        self._grow(row + 1)
        self._matrix[row] = embedding
        self._rows = max(self._rows, row + 1)
        self._moments.add(embedding)
        if self._positions is not None:
            self._positions.put(row)
        elif self._rows > self._exact_rows:
            self._positions = Positions(self._rows)
        if self._positions is not None:
            self._builder.consider(self._positions)

    def remove(self, row: int) -> None:
        """Remove the embedding at `row`; the last row's takes its place."""
        last = self._rows - 1
        self.state += 1
        self._moments.remove(self._matrix[row])
        self._matrix[row] = self._matrix[last]
        self._rows = last
        if self._positions is not None:
            self._positions.remove(row, last)

    def nearest(self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None = None) -> Rows:
        """Return rows that hold the `count` nearest to `query`, float32 [dimension], in ascending order.

        allowed: bool [n], the rows that may be returned; `count` come back when so many are allowed. More
        than `count` come back where looking at all of them is quicker.
        """
        positions = self._positions
        passing = self._rows if allowed is None else int(np.count_nonzero(allowed))
        if positions is not None and self.approximate and passing > max(_SCANNED_ROWS, count):
            found = positions.nearest(query, count, allowed, self)
            if found.size >= count:
                return found
        return np.arange(self._rows) if allowed is None else np.flatnonzero(allowed)

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """Return the exact inner products of `query`, float32 [dimension], with `rows`: float32 [len(rows)].

        `rows` are distinct.
        """
        if rows.size > _SCANNED_SHARE * self._rows:
            return inner_products(self._matrix[: self._rows], query)[rows]
        return inner_products_of(self._matrix, rows, query)

    def spread(self, query: Vectors) -> Spread:
        """Return the mean and deviation of the inner products of `query` with all rows."""
        return self._moments.spread(query)

    def mean(self) -> Vectors:
        """Return the mean of all embeddings: float32 [dimension]."""
        return self._moments.mean()

    def at(self, rows: Rows) -> Vectors:
        """Return a copy of the embeddings of `rows`: float32 [len(rows), dimension]."""
        return self._matrix[rows]

    @property
    def progress(self) -> tuple[bool, int]:
        """Whether a graph is being built, and how many embeddings it has taken in, deleted ones included."""
        return self._builder.building, self._builder.reached

    def settle(self) -> None:
        """Wait until no graph is being built; for loading and measuring, never while holding the lock."""
        self._builder.join()

    def close(self) -> None:
        """Stop building."""
        self._builder.close()

    def _grow(self, rows: int) -> None:
        if rows > len(self._matrix):
            grown = np.zeros((max(rows, 3 * len(self._matrix) // 2), self.dimension), np.float32)
            grown[: len(self._matrix)] = self._matrix
            self._matrix = grown
