"""Search by Milvus itself, for catalogues that one process cannot hold: meaning, words, filters, scans.

The collection is the record's, with the fields of `SearchLayout` beside the product. Filters are Milvus
expressions over the JSON field `facts`, such as `facts["price"] < 50 and
json_contains(facts["attributes"]["color"], "red")`, and are applied before the best are chosen.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient

from aisle.catalog.v1.product_pb2 import Availability, Product
from services.retrieval.milvus_client import REQUEST_SECONDS, Engine, record_errors
from services.retrieval.packing import key
from services.retrieval.record import RecordError, StoredGeneration
from services.retrieval.sparse import TermStatistics, document_vector, query_vector
from services.retrieval.text import lexical_terms

Scores = NDArray[np.float32]

# Of HNSW (Malkov and Yashunin, arXiv 1603.09320); a server searches small segments exhaustively all the same.
_GRAPH = {"M": 16, "efConstruction": 200}
_EF = 200
_SCANNED_AT_ONCE = 1000
_NOTHING = {0xFFFF_FFFE: 1e-30}  # engines refuse an empty vector; no query reaches this dimension's weight


@dataclass(frozen=True)
class Hits:
    """Products found, best first, with their scores: float32 [n]."""

    ids: list[str]
    scores: Scores


@dataclass(frozen=True)
class HybridHits:
    """Products found by meaning or by words, with the exact score of each in both: float32 [n]."""

    ids: list[str]
    dense: Scores
    words: Scores


@dataclass(frozen=True)
class SearchLayout:
    """The fields that make a generation searchable where it lies; `words` is left out of old servers."""

    mean_length: float
    has_words: bool

    def add_fields(self, schema: Any) -> None:
        """Add the fields to a collection's schema."""
        schema.add_field("facts", DataType.JSON)
        if self.has_words:
            schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)

    def add_indexes(self, indexes: Any) -> None:
        """Add the indexes that searching needs."""
        indexes.add_index("embedding", index_type="HNSW", metric_type="IP", params=_GRAPH)
        if self.has_words:
            indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")

    def columns(self, product: Product) -> dict[str, Any]:
        """Return the fields' values of a product."""
        if not self.has_words:
            return {"facts": facts(product)}
        vector = document_vector(lexical_terms(product), self.mean_length)
        return {"facts": facts(product), "words": vector or _NOTHING}


class MilvusSearch:
    """Searches one generation of a record that was opened with a SearchLayout. Raises RecordError."""

    def __init__(
        self, client: MilvusClient, engine: Engine, generation: StoredGeneration, statistics: TermStatistics
    ) -> None:
        self._client = client
        self._engine = engine
        self._name = generation.name
        self._statistics = statistics

    def dense(self, embedding: Scores, limit: int, where: str = "") -> Hits:
        """Return the products nearest to an embedding, float32 [dimension], that match `where`."""
        return self._search("embedding", embedding, limit, where, {"ef": max(_EF, limit)})

    def words(self, terms: Sequence[str], limit: int, where: str = "") -> Hits:
        """Return the products that score best by BM25 for `terms`, among those that match `where`."""
        if not self._engine.has_sparse_vectors(self._client):
            raise RecordError(
                f"{self._engine.name} is older than Milvus 2.4, which first searches sparse vectors: upgrade "
                "it, or search in process"
            )
        vector = query_vector(terms, self._statistics)
        return (
            self._search("words", vector, limit, where, {}) if vector else Hits([], np.zeros(0, np.float32))
        )

    def hybrid(self, embedding: Scores, terms: Sequence[str], limit: int, where: str = "") -> HybridHits:
        """Return the best of both channels with each one's score in both, to be fused as in process."""
        found = [*self.dense(embedding, limit, where).ids, *self.words(terms, limit, where).ids]
        ids = list(dict.fromkeys(found))
        if not ids:
            return HybridHits([], np.zeros(0, np.float32), np.zeros(0, np.float32))
        these = f"id in {json.dumps([key(each) for each in ids])}"
        dense, words = self.dense(embedding, len(ids), these), self.words(terms, len(ids), these)
        return HybridHits(ids, _in_order(ids, dense), _in_order(ids, words))

    def scan(self, where: str) -> Iterator[list[str]]:
        """Yield the ids of all products that match `where`, a thousand at a time: for exact counts."""
        with record_errors(self._engine.name):
            pages = self._client.query_iterator(
                self._name, batch_size=_SCANNED_AT_ONCE, filter=where, output_fields=["id"]
            )
            while page := pages.next():
                yield [unquote(row["id"]) for row in page]
            pages.close()

    def _search(self, field: str, vector: Any, limit: int, where: str, params: dict[str, int]) -> Hits:
        with record_errors(self._engine.name):
            (rows,) = self._client.search(
                self._name,
                data=[vector],
                anns_field=field,
                limit=limit,
                filter=where,
                output_fields=["id"],
                search_params={"metric_type": "IP", "params": params},
                timeout=REQUEST_SECONDS,
            )
        return Hits(
            [unquote(row["id"]) for row in rows], np.array([row["distance"] for row in rows], np.float32)
        )


def facts(product: Product) -> dict[str, Any]:
    """Return what can be filtered by: price, currency, brand, category, rating, available, and attributes."""
    known: dict[str, Any] = {
        "attributes": {name: list(each.values) for name, each in product.attributes.items()},
        "brand": product.brand,
        "category": list(product.category_path),
        "available": product.availability == Availability.AVAILABILITY_IN_STOCK,
    }
    if product.HasField("price"):
        known |= {"price": product.price.amount, "currency": product.price.currency_code}
    if product.HasField("rating"):
        known["rating"] = product.rating
    return known


def _in_order(ids: Sequence[str], hits: Hits) -> Scores:
    scores = dict(zip(hits.ids, hits.scores.tolist(), strict=True))
    return np.array([scores.get(each, 0.0) for each in ids], np.float32)
