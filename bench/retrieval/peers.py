"""What is measured beside: FAISS called directly, with and without our lexical search, and Milvus Lite."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np
from pymilvus import (
    AnnSearchRequest,
    DataType,
    Function,
    FunctionType,
    MilvusClient,
    RRFRanker,
)
from tqdm import tqdm

from bench.retrieval.measuring import Find, resident_mb
from bench.retrieval.sets import SearchSet
from services.retrieval import fusion
from services.retrieval.index import CatalogIndex
from services.retrieval.milvus_client import LiteEngine
from services.retrieval.text import passage

_LINKS, _EF_CONSTRUCTION, EF = 16, 120, 600
_INSERTED_AT_ONCE = 500


def flat(searched: SearchSet) -> tuple[faiss.Index, dict[str, float]]:
    """FAISS's exhaustive index."""
    before, start = resident_mb(), time.perf_counter()
    index = faiss.IndexFlatIP(searched.embeddings.shape[1])
    index.add(searched.embeddings)
    return index, _cost(start, before)


def graph(searched: SearchSet) -> tuple[faiss.Index, dict[str, float]]:
    """FAISS's HNSW on float32 with the same links, built at once on all cores."""
    before, start = resident_mb(), time.perf_counter()
    index = faiss.IndexHNSWFlat(searched.embeddings.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EF_CONSTRUCTION
    index.hnsw.efSearch = EF
    for first in tqdm(range(0, len(searched.embeddings), 5_000), desc="faiss-hnsw: building", leave=False):
        index.add(searched.embeddings[first : first + 5_000])
    return index, _cost(start, before)


def searching(index: faiss.Index, searched: SearchSet, count: int) -> Find:
    """The `count` rows that a FAISS index gives."""

    def find(query: int) -> Sequence[int]:
        _, rows = index.search(searched.queries[query][None], count)
        found: list[int] = rows[0].tolist()
        return found

    return find


def with_words(index: faiss.Index, lexical: CatalogIndex, searched: SearchSet, count: int) -> Find:
    """The same after our lexical search and its best rows, nothing fused and no columns taken."""
    nearest = searching(index, searched, count)

    def find(query: int) -> Sequence[int]:
        fusion.best(lexical.match_words(searched.texts[query]).scores, count)
        return nearest(query)

    return find


@contextmanager
def milvus_lite(searched: SearchSet) -> Iterator[tuple[MilvusClient, dict[str, float]]]:
    """A Milvus Lite folder with the products' text under BM25 and their embeddings under HNSW."""
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.db"
        before, start = resident_mb(), time.perf_counter()
        client = MilvusClient(str(path))
        try:
            _create(client, searched.embeddings.shape[1])
            rows = range(0, len(searched.products), _INSERTED_AT_ONCE)
            for first in tqdm(rows, desc="milvus-lite: loading", leave=False):
                client.insert("peer", _rows(searched, first, first + _INSERTED_AT_ONCE))
            client.flush("peer")  # graphs are built of what is flushed; the rest is walked row by row
            client.load_collection("peer")
            yield client, _cost(start, before)
        finally:
            LiteEngine(path).close(client)


def milvus_dense(client: MilvusClient, searched: SearchSet, count: int) -> Find:
    """Its HNSW alone."""

    def find(query: int) -> Sequence[int]:
        found = client.search(
            "peer",
            data=[searched.queries[query].tolist()],
            anns_field="embedding",
            limit=count,
            search_params={"metric_type": "IP", "params": {"ef": EF}},
        )
        return [hit["id"] for hit in found[0]]

    return find


def milvus_hybrid(client: MilvusClient, searched: SearchSet, count: int) -> Find:
    """Its hybrid search: HNSW and BM25, fused by ranks."""

    def find(query: int) -> Sequence[int]:
        dense = AnnSearchRequest(
            [searched.queries[query].tolist()],
            "embedding",
            {"metric_type": "IP", "params": {"ef": EF}},
            limit=count,
        )
        words = AnnSearchRequest([searched.texts[query]], "words", {"metric_type": "BM25"}, limit=count)
        found = client.hybrid_search("peer", [dense, words], RRFRanker(), limit=count)
        return [hit["id"] for hit in found[0]]

    return find


def _create(client: MilvusClient, dimension: int) -> None:
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("text", DataType.VARCHAR, max_length=8_192, enable_analyzer=True)
    schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(Function("bm25", FunctionType.BM25, ["text"], ["words"]))
    indexes = client.prepare_index_params()
    parameters = {"M": _LINKS, "efConstruction": _EF_CONSTRUCTION}
    indexes.add_index("embedding", index_type="HNSW", metric_type="IP", params=parameters)
    indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection("peer", schema=schema, index_params=indexes)


def _rows(searched: SearchSet, first: int, end: int) -> list[dict[str, object]]:
    part = searched.products[first:end]
    return [
        {"id": first + place, "embedding": searched.embeddings[first + place], "text": passage(product)}
        for place, product in enumerate(part)
    ]


def _cost(start: float, memory_before: float) -> dict[str, float]:
    return {
        "build_seconds": round(time.perf_counter() - start, 2),
        "rss_mb": round(resident_mb() - memory_before, 1),
    }


def exact(searched: SearchSet, count: int) -> list[list[int]]:
    """By query, the rows of the `count` highest scores of all."""
    index = faiss.IndexFlatIP(searched.embeddings.shape[1])
    index.add(searched.embeddings)
    rows: list[list[int]] = np.asarray(index.search(searched.queries, count)[1]).tolist()
    return rows
