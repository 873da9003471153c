"""Searches of one collection in Milvus: by meaning, by words, under a filter; counts and scans.

The collection is the record's, with the fields of `SearchLayout` beside the product. Filters are Milvus
expressions over the JSON field `facts`, and are applied before the best are chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.milvus.expressions import only
from services.retrieval.milvus.facts import facts
from services.retrieval.milvus.sparse import SparseVector, document_vector
from services.retrieval.milvus_client import REQUEST_SECONDS, Engine, record_errors
from services.retrieval.packing import unpack
from services.retrieval.record import RecordError, StoredGeneration
from services.retrieval.text import lexical_terms

Scores = NDArray[np.float32]

# Of HNSW (Malkov and Yashunin, arXiv 1603.09320); a server searches small segments exhaustively all the same.
_GRAPH = {"M": 16, "efConstruction": 200}
_EF = 200
_SCANNED_AT_ONCE = 1000
_SEARCH_SECONDS = 5.0
_FIELDS = ("product", "embedding")
# One process writes a record: its own writes are seen at once, and no search waits for the server's clock.
_SEEN = "Session"
_NOTHING = {0xFFFF_FFFE: 1e-30}  # engines refuse an empty vector; no query reaches this dimension's weight


@dataclass(frozen=True)
class Hits:
    """Products found, best first, with their embeddings, float32 [n, dimension], and scores, float32 [n]."""

    products: list[Product]
    embeddings: Scores
    scores: Scores

    @property
    def ids(self) -> list[str]:
        """The ids of the products."""
        return [each.id for each in self.products]


@dataclass(frozen=True)
class SearchLayout:
    """The fields that make a generation searchable where it lies; `words` is left out of old servers."""

    has_words: bool

    @property
    def fields(self) -> set[str]:
        """The names of the fields."""
        return {"facts", "words"} if self.has_words else {"facts"}

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
        vector = document_vector(lexical_terms(product))
        return {"facts": facts(product), "words": vector or _NOTHING}


class MilvusSearch:
    """Searches one generation of a record that was opened with a SearchLayout. Raises RecordError."""

    def __init__(
        self, client: MilvusClient, engine: Engine, generation: StoredGeneration, has_words: bool
    ) -> None:
        self._client = client
        self._engine = engine
        self._name = generation.name
        self.dimension = generation.dimension
        self.has_words = has_words

    def dense(self, embedding: Scores, limit: int, where: str = "") -> Hits:
        """Return the products nearest to an embedding, float32 [dimension], that match `where`."""
        rows = self._search("embedding", embedding, limit, where, params={"ef": max(_EF, limit)})
        return self._hits(rows)

    def words(self, query: SparseVector, limit: int, where: str = "") -> Hits:
        """Return the products that score best by BM25, among those that match `where`; none scores 0."""
        self._require_words()
        return self._hits(self._search("words", query, limit, where) if query else [])

    def words_of(self, query: SparseVector, ids: Sequence[str]) -> dict[str, float]:
        """Return the BM25 scores of those of `ids` that hold a word of the query."""
        self._require_words()
        rows = self._search("words", query, len(ids), only(ids), told=["id"]) if query and ids else []
        return {unquote(row["id"]): float(row["distance"]) for row in rows}

    def some(self, where: str, limit: int) -> Hits:
        """Return any `limit` products that match `where`, all scored 0."""
        with record_errors(self._engine.name):
            rows = self._client.query(
                self._name,
                filter=where,
                limit=limit,
                output_fields=[*_FIELDS],
                consistency_level=_SEEN,
                timeout=_SEARCH_SECONDS,
            )
        return self._hits([{"entity": row, "distance": 0.0} for row in rows])

    def get(self, ids: Sequence[str]) -> Hits:
        """Return the products with `ids` in their order, unknown ones left out, all scored 0."""
        if not ids:
            return self._hits([])
        found = self.some(only(list(dict.fromkeys(ids))), len(ids))
        place = {each: number for number, each in enumerate(found.ids)}
        order = [place[each] for each in ids if each in place]
        return Hits([found.products[each] for each in order], found.embeddings[order], found.scores[order])

    def count(self, where: str) -> int:
        """Return how many products match `where`."""
        with record_errors(self._engine.name):
            rows = self._client.query(
                self._name,
                filter=where,
                output_fields=["count(*)"],
                consistency_level=_SEEN,
                timeout=_SEARCH_SECONDS,
            )
        return int(rows[0]["count(*)"])

    def settle(self) -> None:
        """Return when all that was written is seen: servers of 2.3 give deletions no place in a session."""
        with record_errors(self._engine.name):
            self._client.query(
                self._name,
                filter=only([""]),
                output_fields=["id"],
                consistency_level="Strong",
                timeout=REQUEST_SECONDS,
            )

    def scan(self, where: str = "") -> Iterator[list[str]]:
        """Yield the ids of all products that match `where`, a thousand at a time."""
        with record_errors(self._engine.name):
            pages = self._client.query_iterator(
                self._name, batch_size=_SCANNED_AT_ONCE, filter=where, output_fields=["id"]
            )
            while page := pages.next():
                yield [unquote(row["id"]) for row in page]
            pages.close()

    def _search(
        self,
        field: str,
        vector: Any,
        limit: int,
        where: str,
        *,
        told: Sequence[str] = _FIELDS,
        params: dict[str, int] | None = None,
    ) -> list[Any]:
        with record_errors(self._engine.name):
            (rows,) = self._client.search(
                self._name,
                data=[vector],
                anns_field=field,
                limit=limit,
                filter=where,
                output_fields=[*told],
                search_params={"metric_type": "IP", "params": params or {}},
                consistency_level=_SEEN,
                timeout=_SEARCH_SECONDS,
            )
        return list(rows)

    def _hits(self, rows: Sequence[Any]) -> Hits:
        entities = [row["entity"] for row in rows]
        embeddings = np.array([each["embedding"] for each in entities], np.float32)
        return Hits(
            [unpack(each["product"]) for each in entities],
            embeddings.reshape(len(rows), self.dimension),
            np.array([row["distance"] for row in rows], np.float32),
        )

    def _require_words(self) -> None:
        if not self.has_words:
            raise RecordError(
                f"{self._engine.name} is older than Milvus 2.4, which first searches sparse vectors: upgrade "
                "it, or search in process"
            )
