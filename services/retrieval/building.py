"""Builds the next graph beside searches and changes."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from runtime import heap
from runtime.observability.logs import get_logger
from services.retrieval.fusion import Rows
from services.retrieval.graph import BuildStopped, Graph
from services.retrieval.inner_products import Vectors
from services.retrieval.locking import ReadWriteLock
from services.retrieval.positions import Positions

logger = get_logger(__name__)

_MOST_RECENT = 4_096  # embeddings outside of the graph, scored one by one: about .3 ms
_LEAST_RECENT = 512  # so many that came during a build are worth another right after it
_MOST_GONE_SHARE = 0.2  # of the graph's embeddings, before it is built anew without them
_COPIED_AT_ONCE = 512  # rows: writers wait a fifth of a millisecond
_NICENESS = 10


class Embeddings(Protocol):
    """Gives embeddings of rows."""

    def at(self, rows: Rows) -> Vectors:
        """Return a copy of the embeddings of `rows`."""


class GraphBuilder:
    """At most one build at a time, on a thread of low priority; a failed one leaves the old graph in use."""

    def __init__(self, dimension: int, lock: ReadWriteLock, embeddings: Embeddings) -> None:
        self._dimension = dimension
        self._lock = lock
        self._embeddings = embeddings
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._tried_at = 0
        self.reached = 0  # positions handed to the graph that is being built

    @property
    def building(self) -> bool:
        """Whether a graph is being built."""
        return self._thread is not None and self._thread.is_alive()

    def consider(self, positions: Positions) -> None:
        """Start building when enough has changed; call it while holding the lock for writing."""
        if self.building or self._stop.is_set() or not self._due(positions):
            return
        self._tried_at = len(positions)
        self._thread = threading.Thread(
            target=self._run, args=(positions,), name="graph-builder", daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Wait for the build that is going on."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Stop the build that is going on, and start no other."""
        self._stop.set()
        self.join()

    def _due(self, positions: Positions, most_recent: int = _MOST_RECENT) -> bool:
        if not positions.ready:
            return len(positions) - self._tried_at >= (_MOST_RECENT if self._tried_at else 1)
        recent = len(positions) - max(positions.covered, self._tried_at)
        return recent > most_recent

    def _run(self, positions: Positions) -> None:
        with suppress(OSError):  # a system may forbid it; building is only ruder then
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        faiss.omp_set_num_threads(1)  # of this thread: the other cores are for searches
        try:
            while self._build(positions):
                pass
            heap.give_back()  # the graph before the last one
        except BuildStopped:
            logger.info("graph_build_stopped")
        except Exception:  # the old graph and exact scores go on answering; the next change tries again
            logger.exception("graph_build_failed", recent=len(positions) - positions.covered)

    def _build(self, positions: Positions) -> bool:
        """Build and install one graph, and return whether enough changed meanwhile to build another."""
        with self._lock.read():
            graph, end = positions.graph, len(positions)
            anew = graph is None or positions.gone > _MOST_GONE_SHARE * len(graph)
            start = 0 if anew else positions.covered
        taken: list[NDArray[np.int64]] = [] if anew else [np.arange(start)]
        parts = self._parts(positions, start, end, taken)
        if graph is None or anew:
            made = Graph.build(self._dimension, parts, self._stop.is_set)
        else:
            made = graph.extended(parts, self._stop.is_set)
        with self._lock.write():
            positions.install(made, np.concatenate(taken), end)
            self._tried_at = 0
            again = self._due(positions, _LEAST_RECENT)
        logger.info("graph_built", embeddings=len(made), anew=anew)
        return again

    def _parts(
        self, positions: Positions, start: int, end: int, taken: list[NDArray[np.int64]]
    ) -> Iterator[Vectors]:
        """Yield the embeddings of the positions from `start` that are not gone, noting them in `taken`."""
        for first in range(start, end, _COPIED_AT_ONCE):
            with self._lock.read():
                rows = positions.rows(first, min(first + _COPIED_AT_ONCE, end))
                here = np.flatnonzero(rows >= 0)
                part = self._embeddings.at(rows[here].astype(np.intp))
            taken.append(here + first)
            yield part
            self.reached = first + rows.size
