"""The record in Milvus: each generation is a collection, and the alias `catalog` points to the active one."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
from pymilvus import DataType, MilvusClient

from aisle.catalog.v1.product_pb2 import Product
from runtime.settings import StartupError
from services.retrieval.milvus.search import SearchLayout
from services.retrieval.milvus_client import REQUEST_SECONDS, Engine, record_errors
from services.retrieval.packing import MOST_CHARACTERS, key, pack, unpack
from services.retrieval.record import Embeddings, StoredGeneration, checked

_ALIAS = "catalog"
_SPACE = "embedding_space"
_MARK = "aisle_mark"
_PREFIX = "products_"
_MOST_KEY_CHARACTERS = 3 * 128
_FIELDS = ["product", "embedding"]
_PAGE = 4096  # rows read at once: their embeddings are Python floats for a moment, 12 kB a row
_WRITE = 256


class MilvusRecord:
    """A CatalogRecord in Milvus Lite or on a Milvus server; collections of other names are left alone."""

    def __init__(self, client: MilvusClient, engine: Engine, layout: SearchLayout | None = None) -> None:
        self._client = client
        self._engine = engine
        self._layout = layout

    @classmethod
    def open(cls, engine: Engine, layout: SearchLayout | None = None) -> Self:
        """Open the record of an engine, or begin one; with a `layout`, one that Milvus itself can search.

        Raises StartupError when it is damaged, held by another process, out of reach or of another layout.
        """
        with engine.opening(), ExitStack() as undo:
            client = engine.open()
            undo.callback(engine.close, client)
            record = cls(client, engine, layout)
            for generation in record.generations():
                client.load_collection(generation.name)
            undo.pop_all()
        return record

    def generations(self) -> list[StoredGeneration]:
        """Return all generations, the active one first."""
        with record_errors(self._engine.name):
            names = [name for name in self._client.list_collections() if name.startswith(_PREFIX)]
            active = [name for name in names if self._is_active(name)]
            return [self._describe(name) for name in [*active, *sorted(set(names) - set(active))]]

    def active(self) -> StoredGeneration | None:
        """Return the active generation, None in a record that has just been begun."""
        first = next(iter(self.generations()), None)
        return first if first and self._is_active(first.name) else None

    def create(self, embedding_space: str, dimension: int) -> StoredGeneration:
        """Return the generation of an embedding space, an empty one when there is none yet."""
        digest = hashlib.sha256(f"{embedding_space}:{dimension}".encode()).hexdigest()
        generation = StoredGeneration(f"{_PREFIX}{digest[:12]}", embedding_space, dimension)
        with record_errors(self._engine.name):
            if not self._client.has_collection(generation.name, timeout=REQUEST_SECONDS):
                self._create(generation)
            self._client.load_collection(generation.name, timeout=REQUEST_SECONDS)
        return generation

    def activate(self, generation: StoredGeneration) -> None:
        """Point the alias to a generation, which is atomic in both engines."""
        with record_errors(self._engine.name):
            taken = any(self._is_active(name) for name in self._client.list_collections())
            point = self._client.alter_alias if taken else self._client.create_alias
            point(generation.name, _ALIAS, timeout=REQUEST_SECONDS)

    def drop(self, generation: StoredGeneration) -> None:
        """Delete a generation with all it holds. Raises ValueError when it is the active one."""
        with record_errors(self._engine.name):
            if self._is_active(generation.name):
                raise ValueError(f"{generation.name} is the active generation")
            self._client.drop_collection(generation.name, timeout=REQUEST_SECONDS)

    def rows(self, generation: StoredGeneration) -> Iterator[tuple[list[Product], Embeddings]]:
        """Yield all products with their embeddings; raises StartupError when the record is damaged."""
        with self._engine.opening():
            pages = self._client.query_iterator(generation.name, batch_size=_PAGE, output_fields=_FIELDS)
            while page := pages.next():
                products = [unpack(row["product"]) for row in page]
                yield products, np.array([row["embedding"] for row in page], np.float32)
            pages.close()

    def get(self, generation: StoredGeneration, ids: Sequence[str]) -> tuple[list[Product], Embeddings]:
        """Return the products with `ids` and their embeddings; unknown ones are left out."""
        with record_errors(self._engine.name):
            found = self._client.get(
                generation.name,
                ids=[key(each) for each in ids],
                output_fields=_FIELDS,
                timeout=REQUEST_SECONDS,
            )
        embeddings = np.array([row["embedding"] for row in found], np.float32)
        return [unpack(row["product"]) for row in found], embeddings.reshape(-1, generation.dimension)

    def count(self, generation: StoredGeneration) -> int:
        """Return the number of products."""
        with record_errors(self._engine.name):
            found = self._client.query(
                generation.name, filter="", output_fields=["count(*)"], timeout=REQUEST_SECONDS
            )
        return int(found[0]["count(*)"])

    def mark(self, generation: StoredGeneration, token: str) -> None:
        """Write a token beside a generation, as a property of its collection."""
        with record_errors(self._engine.name):
            self._client.alter_collection_properties(generation.name, {_MARK: token}, timeout=REQUEST_SECONDS)

    def marked(self, generation: StoredGeneration) -> str:
        """Return the token that `mark` wrote last, empty without one."""
        with record_errors(self._engine.name):
            found = self._client.describe_collection(generation.name, timeout=REQUEST_SECONDS)
        return str(found["properties"].get(_MARK, ""))

    def upsert(
        self, generation: StoredGeneration, products: Sequence[Product], embeddings: Embeddings
    ) -> None:
        """Write products with their embeddings."""
        checked(embeddings, len(products), generation.dimension)
        rows = [
            {"id": key(product.id), "embedding": embedding, "product": pack(product)}
            | (self._layout.columns(product) if self._layout else {})
            for product, embedding in zip(products, embeddings, strict=True)
        ]
        with record_errors(self._engine.name):
            for start in range(0, len(rows), _WRITE):
                batch = rows[start : start + _WRITE]
                self._client.upsert(generation.name, batch, timeout=REQUEST_SECONDS)

    def delete(self, generation: StoredGeneration, ids: Sequence[str]) -> None:
        """Delete the products with `ids`; unknown ids are no error."""
        with record_errors(self._engine.name):
            self._client.delete(generation.name, ids=[key(each) for each in ids], timeout=REQUEST_SECONDS)

    def close(self) -> None:
        """Flush what is not on disk and let go of the engine."""
        self._engine.close(self._client)

    def _is_active(self, name: str) -> bool:
        return _ALIAS in self._client.list_aliases(name, timeout=REQUEST_SECONDS)["aliases"]

    def _create(self, generation: StoredGeneration) -> None:
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_MOST_KEY_CHARACTERS)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=generation.dimension)
        schema.add_field("product", DataType.VARCHAR, max_length=MOST_CHARACTERS)
        index = self._client.prepare_index_params()
        if self._layout:
            self._layout.add_fields(schema)
            self._layout.add_indexes(index)
        elif self._engine.needs_index:  # nothing is searched by this one
            index.add_index("embedding", index_type="FLAT", metric_type="IP")
        self._client.create_collection(
            generation.name,
            schema=schema,
            index_params=index,
            properties={_SPACE: generation.embedding_space},
            consistency_level="Strong",  # what was written is read, also by the next process
            timeout=REQUEST_SECONDS,
        )

    def _describe(self, name: str) -> StoredGeneration:
        found: dict[str, Any] = self._client.describe_collection(name, timeout=REQUEST_SECONDS)
        fields = {field["name"]: field for field in found["fields"]}
        space = found["properties"].get(_SPACE, "")
        if not space or not {"id", *_FIELDS} <= set(fields):
            raise StartupError(
                f"collection {name!r} in {self._engine.name} was not written by Aisle (its fields are "
                f"{', '.join(sorted(fields))}): drop or rename it, or keep the catalogue elsewhere"
            )
        if {"facts", "words"} & set(fields) != (self._layout.fields if self._layout else set()):
            raise StartupError(
                f"collection {name!r} in {self._engine.name} was written under another --search, or by an "
                "older Milvus: start with the --search it was written under, or load the catalogue anew into "
                "another database or folder"
            )
        return StoredGeneration(name, space, int(fields["embedding"]["params"]["dim"]))
