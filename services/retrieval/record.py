"""The durable record of the catalogue: products with their embeddings in a Milvus Lite folder.

Each embedding generation is a collection of its own; the alias `catalog` points to the one in use. Searches
never come here: Milvus Lite walks every row in Python on each, the in-process index does not.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient

from aisle.catalog.v1.product_pb2 import Product
from runtime.observability.logs import get_logger
from runtime.settings import StartupError
from services.retrieval.milvus_client import close_client, open_client, problems
from services.retrieval.packing import MOST_CHARACTERS, pack, unpack

logger = get_logger(__name__)

Embeddings = NDArray[np.float32]
Embed = Callable[[list[Product]], Embeddings]

_ALIAS = "catalog"
_SPACE = "embedding_space"
_MOST_KEY_CHARACTERS = 3 * 128
_FIELDS = ["product", "embedding"]
_PAGE = 4096  # rows read at once: their embeddings are Python floats for a moment, 12 kB a row
_WRITE = 256


class CatalogRecord:
    """Products and embeddings on disk, owned by one process. What `upsert` and `delete` return from survives
    a kill of the process. Not thread-safe: one thread writes.
    """

    def __init__(self, client: MilvusClient, path: Path) -> None:
        self._client = client
        self._path = path
        self._collection = ""
        self.embedding_space = ""
        self.dimension = 0

    @classmethod
    def open(
        cls, path: Path, embedding_space: str, dimension: int, reembed: Embed | None = None
    ) -> "CatalogRecord":
        """Open the record at `path` (a folder ending in .db), or begin one, for embeddings of one space.

        A record of another space is refused, or with `reembed` rewritten: `reembed` maps products to
        embeddings float32 [n, dimension], and the old generation stays until the new one is complete.
        Raises StartupError when the record is damaged, held by another process, or of another space.
        """
        with problems(path):
            record = cls(open_client(path), path)
            try:
                record._find_generation()
                if record.embedding_space != embedding_space or record.dimension != dimension:
                    record._change_generation(embedding_space, dimension, reembed)
                record._client.load_collection(record._collection)
            except BaseException:
                record.close()
                raise
        return record

    def rows(self) -> Iterator[tuple[list[Product], Embeddings]]:
        """Yield all products with their embeddings, float32 [n, dimension], a few thousand at a time.

        Raises StartupError when the record is damaged.
        """
        with problems(self._path):
            yield from self._rows_of(self._collection)

    def upsert(self, products: Sequence[Product], embeddings: Embeddings) -> None:
        """Write `products` with their embeddings, float32 [n, dimension]; they are durable on return.

        Raises ValueError on embeddings of a wrong shape or not finite, and on a product too large to store.
        """
        self._write(self._collection, products, _checked(embeddings, len(products), self.dimension))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the products with `ids`, durably on return; unknown ids are no error."""
        self._client.delete(self._collection, ids=[_key(product_id) for product_id in ids])

    def close(self) -> None:
        """Flush to disk and let go of the folder."""
        close_client(self._client, self._path)

    def _find_generation(self) -> None:
        """Find the collection in use, and drop what an interrupted change of generation left behind."""
        for name in self._client.list_collections():
            if _ALIAS not in self._client.list_aliases(name)["aliases"]:
                logger.warning("unfinished_generation_dropped", collection=name)
                self._client.drop_collection(name)
                continue
            found = self._client.describe_collection(name)
            widths = [field["params"]["dim"] for field in found["fields"] if field["name"] == "embedding"]
            self._collection = name
            self.embedding_space = found["properties"].get(_SPACE, "")
            self.dimension = int(widths[0])

    def _change_generation(self, embedding_space: str, dimension: int, reembed: Embed | None) -> None:
        old = self._collection
        if old and reembed is None:
            raise StartupError(
                f"{self._path} holds embeddings of space {self.embedding_space!r} ({self.dimension} wide), "
                f"the model makes {embedding_space!r} ({dimension} wide): start once with --reembed true to "
                "compute them anew, activate the model of the record, or name another folder with --state"
            )
        new = self._create(embedding_space, dimension)
        if old and reembed is not None:
            self._client.load_collection(old)
            self._client.load_collection(new)
            for products, _ in self._rows_of(old):
                self._write(new, products, _checked(reembed(products), len(products), dimension))
            self._client.alter_alias(new, _ALIAS)
            self._client.drop_collection(old)
        else:
            self._client.create_alias(new, _ALIAS)
        self._collection, self.embedding_space, self.dimension = new, embedding_space, dimension

    def _create(self, embedding_space: str, dimension: int) -> str:
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_MOST_KEY_CHARACTERS)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field("product", DataType.VARCHAR, max_length=MOST_CHARACTERS)
        digest = hashlib.sha256(f"{embedding_space}:{dimension}".encode()).hexdigest()
        name = f"products_{digest[:12]}"
        self._client.create_collection(name, schema=schema, properties={_SPACE: embedding_space})
        return name

    def _rows_of(self, collection: str) -> Iterator[tuple[list[Product], Embeddings]]:
        pages = self._client.query_iterator(collection, batch_size=_PAGE, output_fields=_FIELDS)
        while page := pages.next():
            products = [unpack(row["product"]) for row in page]
            yield products, np.array([row["embedding"] for row in page], np.float32)
        pages.close()

    def _write(self, collection: str, products: Sequence[Product], embeddings: Embeddings) -> None:
        rows = [
            {"id": _key(product.id), "embedding": embedding, "product": pack(product)}
            for product, embedding in zip(products, embeddings, strict=True)
        ]
        for start in range(0, len(rows), _WRITE):
            self._client.upsert(collection, rows[start : start + _WRITE])


def _key(product_id: str) -> str:
    """Return the id percent-encoded: the client writes keys unescaped into filters such as `id in ['…']`."""
    return quote(product_id, safe="")


def _checked(embeddings: Embeddings, count: int, dimension: int) -> Embeddings:
    if embeddings.shape != (count, dimension):
        raise ValueError(f"embeddings must be [{count}, {dimension}], got {list(embeddings.shape)}")
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings must be finite")
    return embeddings
