"""Everything that is measured of one set, system after system in one process."""

from collections.abc import Iterator

import faiss
import numpy as np

from bench.retrieval import narrowed, ours, peers
from bench.retrieval.measuring import Figures, recall, timed
from bench.retrieval.sets import SearchSet
from services.retrieval.index import CatalogIndex

_NEAREST = 100
_MILVUS_PRODUCTS = 10_000  # it walks every row in Python: more take minutes to load and .2 s a search
_MILVUS_QUERIES = 40
_FLAT_QUERIES = 200
_ROUNDS = 5  # of all queries, so that a p99 is of thousands of samples


def measured(searched: SearchSet) -> Iterator[Figures]:
    """Yield the figures of each system on `searched`."""
    truth = peers.exact(searched, _NEAREST)
    yield from _faiss_flat(searched)
    hnsw, cost = peers.graph(searched)
    queries = len(searched.queries)
    figures, found = timed("faiss-hnsw", peers.searching(hnsw, searched, _NEAREST), queries)
    yield _with(figures, cost, {f"recall@{_NEAREST}": recall(found, truth, _NEAREST)})
    if not searched.products:
        yield _ours_dense(searched, truth)
        return
    yield from _ours(searched, truth, hnsw)
    del hnsw
    if len(searched.products) <= _MILVUS_PRODUCTS:
        yield from _milvus(searched, truth)


def _faiss_flat(searched: SearchSet) -> Iterator[Figures]:
    index, cost = peers.flat(searched)
    queries = min(_FLAT_QUERIES, len(searched.queries))
    figures, _ = timed("faiss-flat", peers.searching(index, searched, _NEAREST), queries)
    yield _with(figures, cost, {f"recall@{_NEAREST}": 1.0})


def _ours_dense(searched: SearchSet, truth: list[list[int]]) -> Figures:
    index, cost = ours.built_dense(searched)
    try:
        figures, found = timed("ours-dense", ours.dense(index, searched, _NEAREST), len(searched.queries))
        return _with(figures, cost, {f"recall@{_NEAREST}": recall(found, truth, _NEAREST)})
    finally:
        index.close()


def _ours(searched: SearchSet, truth: list[list[int]], hnsw: faiss.Index) -> Iterator[Figures]:
    queries = len(searched.queries)
    index, cost = ours.built(searched)
    try:
        dense, found = timed("ours-dense", ours.dense(index.vectors, searched, _NEAREST), queries)
        yield _with(dense, cost, {f"recall@{_NEAREST}": recall(found, truth, _NEAREST)})
        find = peers.with_words(hnsw, index, searched, ours.LIMIT)
        plain, _ = timed("faiss-hnsw+lexical", find, queries)
        yield plain
        fused, found = timed("ours-fused200", ours.fused(index, searched), queries)
        over = fused.values["p99_ms"] / plain.values["p99_ms"]
        median_over = fused.values["p50_ms"] / plain.values["p50_ms"]
        yield _with(
            fused,
            {"agreement@200": ours.agreement(index, searched, found)},
            {"p50_over_faiss_lexical": round(median_over, 4), "p99_over_faiss_lexical": round(over, 4)},
        )
        yield from _narrowed(index, searched)
        yield from ours.during_upserts(index, searched, _ROUNDS)
    finally:
        index.close()


def _narrowed(index: CatalogIndex, searched: SearchSet) -> Iterator[Figures]:
    finds = {name: narrowed.narrowed(index, searched, *wish) for name, wish in narrowed.WISHES.items()}
    finds |= {"for-user": narrowed.for_user(index, searched), "suggest": narrowed.suggested(index, searched)}
    for name, find in finds.items():
        figures, found = timed(f"ours-{name}", find, len(searched.queries))
        yield _with(figures, {"found": round(float(np.mean([len(each) for each in found])), 1)})


def _milvus(searched: SearchSet, truth: list[list[int]]) -> Iterator[Figures]:
    queries = min(_MILVUS_QUERIES, len(searched.queries))
    with peers.milvus_lite(searched) as (client, cost):
        dense = peers.milvus_dense(client, searched, _NEAREST)
        figures, found = timed("milvus-lite-hnsw", dense, queries)
        yield _with(figures, cost, {f"recall@{_NEAREST}": recall(found, truth[:queries], _NEAREST)})
        hybrid = peers.milvus_hybrid(client, searched, ours.LIMIT)
        yield timed("milvus-lite-hybrid", hybrid, queries)[0]


def _with(figures: Figures, *more: dict[str, float]) -> Figures:
    for each in more:
        figures.values |= each
    return figures
