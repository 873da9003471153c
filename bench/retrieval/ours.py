"""The index that is served: its dense search, its fused search, and both while products are written."""

import threading
import time
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from aisle.catalog.v1.product_pb2 import Product
from bench.retrieval.measuring import Figures, Find, recall, resident_mb, timed
from bench.retrieval.sets import SearchSet
from services.retrieval import feedback, fusion
from services.retrieval.agreement import BEST, WEIGHT, Agreement
from services.retrieval.index import CatalogIndex
from services.retrieval.vectors import VectorIndex
from services.retrieval.words.query_words import QueryWords

_LOADED_AT_ONCE = 1_000
_UPSERTS_PER_SECOND = 200
_RETITLED_EVERY = 10
_SHOWN_EVERY_SECONDS = 0.1
LIMIT = 200


def built(searched: SearchSet) -> tuple[CatalogIndex, dict[str, float]]:
    """Return the loaded index with its graph in place, and what building it took."""
    before, start = resident_mb(), time.perf_counter()
    index = CatalogIndex(searched.embeddings.shape[1], words=QueryWords.shipped())
    count = len(searched.products)
    with tqdm(total=count, desc="ours: loading", unit="product", leave=False) as bar:
        for first in range(0, count, _LOADED_AT_ONCE):
            end = min(first + _LOADED_AT_ONCE, count)
            index.upsert(searched.products[first:end], searched.embeddings[first:end])
            bar.update(end - first)
    loaded = time.perf_counter() - start
    settled(index.vectors)
    seconds = time.perf_counter() - start
    return index, {
        "load_seconds": round(loaded, 2),
        "build_seconds": round(seconds, 2),
        "rss_mb": round(resident_mb() - before, 1),
    }


def built_dense(searched: SearchSet) -> tuple[VectorIndex, dict[str, float]]:
    """The same of embeddings alone."""
    before, start = resident_mb(), time.perf_counter()
    index = VectorIndex(searched.embeddings.shape[1])
    for row, embedding in enumerate(tqdm(searched.embeddings, desc="ours: loading", leave=False)):
        index.put(row, embedding)
    settled(index)
    seconds = round(time.perf_counter() - start, 2)
    return index, {"build_seconds": seconds, "rss_mb": round(resident_mb() - before, 1)}


def settled(vectors: VectorIndex) -> None:
    """Wait until no graph is being built, and show how far it is."""
    with tqdm(total=len(vectors), desc="ours: building the graph", unit="product", leave=False) as bar:
        while vectors.progress[0]:
            bar.update(vectors.progress[1] - bar.n)
            time.sleep(_SHOWN_EVERY_SECONDS)
    vectors.settle()


def dense(index: VectorIndex, searched: SearchSet, count: int) -> Find:
    """The `count` rows of the highest exact scores among those that the index names."""

    def find(query: int) -> Sequence[int]:
        rows = index.nearest(searched.queries[query], count)
        scores = index.scores(searched.queries[query], rows)
        nearest: list[int] = rows[fusion.best(scores, count)].tolist()
        return nearest

    return find


def fused(index: CatalogIndex, searched: SearchSet) -> Find:
    """Rows of the 200 candidates with all their columns, as the service answers."""
    row_of = {product: row for row, product in enumerate(index.ids())}

    def find(query: int) -> Sequence[int]:
        found = index.search(searched.texts[query], searched.queries[query], LIMIT)
        return [row_of[each] for each in found.candidates.products.ids]

    return find


def during_upserts(index: CatalogIndex, searched: SearchSet, rounds: int) -> tuple[Figures, Figures]:
    """Fused searches without and with 200 upserts a second beside them: new prices, of each tenth product a
    new title and embedding too."""
    queries = len(searched.texts)

    def find(number: int) -> Sequence[int]:
        query = number % queries
        found = index.search(searched.texts[query], searched.queries[query], LIMIT)
        return range(len(found.candidates.products.ids))

    quiet, _ = timed("search-quiet", find, rounds * queries)
    writing = _Writing(index, searched)
    writing.start()
    failed = 0

    def guarded(number: int) -> Sequence[int]:
        nonlocal failed
        try:
            return find(number)
        except Exception:  # noqa: BLE001 - what is counted here
            failed += 1
            return []

    start = time.perf_counter()
    busy, _ = timed("search-during-upsert", guarded, rounds * queries)
    seconds = time.perf_counter() - start
    written = writing.finish()
    busy.values |= {
        "p99_over_quiet": round(busy.values["p99_ms"] / quiet.values["p99_ms"], 4),
        "failed": failed,
        "upserts_per_second": round(written / seconds, 1),
    }
    return quiet, busy


class _Writing(threading.Thread):
    def __init__(self, index: CatalogIndex, searched: SearchSet) -> None:
        super().__init__(name="upserts", daemon=True)
        self._index, self._searched = index, searched
        self._done = threading.Event()
        self._written = 0

    def run(self) -> None:
        random, start = np.random.default_rng(1), time.perf_counter()
        while not self._done.is_set():
            row = int(random.integers(len(self._searched.products)))
            changed = Product()
            changed.CopyFrom(self._searched.products[row])
            changed.price.amount += self._written % 10
            source = row
            if self._written % _RETITLED_EVERY == 0:
                source = int(random.integers(len(self._searched.products)))
                changed.title["en"] += f" edition {self._written}"
            self._index.upsert([changed], self._searched.embeddings[source][None])
            self._written += 1
            due = start + self._written / _UPSERTS_PER_SECOND
            self._done.wait(max(0.0, due - time.perf_counter()))

    def finish(self) -> int:
        """Stop, and return how many products were written."""
        self._done.set()
        self.join()
        return self._written


def agreement(index: CatalogIndex, searched: SearchSet, found: Sequence[Sequence[int]]) -> float:
    """The share of the best 200 by fusing the scores of all products that are among those found."""
    vectors, columns = index.vectors, index.held.rows.columns
    every, truth = np.arange(len(index)), []
    for query, text in zip(searched.queries, searched.texts, strict=True):
        scores, words = vectors.scores(query, every), index.match_words(text)
        fused = fusion.fuse(scores, words.scores, fusion.LEXICAL_WEIGHT * words.emphasis)
        best = fusion.best(fused, feedback.BEST)
        towards = feedback.direction(vectors.at(best), fused[best], vectors.mean())
        fused = fused + feedback.WEIGHT * fusion.standardise(vectors.scores(towards, every))
        kinds = Agreement.of(fusion.best(fused, BEST), columns)
        fused = fused + WEIGHT * kinds.scores(every, columns)
        truth.append(fusion.best(fused, LIMIT).tolist())
    return recall(found, truth, LIMIT)


def nearest(index: VectorIndex, searched: SearchSet, count: int) -> list[list[int]]:
    """The `count` rows nearest to each query, by the scores of all."""
    every = np.arange(len(index))
    return [fusion.best(index.scores(query, every), count).tolist() for query in searched.queries]
