"""The catalogue as the service sees it: searched in memory, written to the record first."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pymilvus import MilvusException

from aisle.catalog.v1.product_pb2 import Product
from runtime.observability.logs import get_logger
from runtime.observability.metrics import INDEX_ROWS
from runtime.serving.errors import Unavailable
from services.retrieval.index import CatalogIndex
from services.retrieval.record import CatalogRecord, Embed
from services.retrieval.words.query_words import QueryWords

logger = get_logger(__name__)

T = TypeVar("T")


class Catalog:
    """Keeps the record and the index alike: one thread writes, first the record, then the index.

    So an acknowledged write is durable and visible, and concurrent writes of one product reach both in the
    same order. Searches run on threads of their own and never wait for the record.
    """

    def __init__(self, record: CatalogRecord, index: CatalogIndex, search_threads: int) -> None:
        self._record = record
        self.index = index
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="catalog-writer")
        self._searchers = ThreadPoolExecutor(search_threads, thread_name_prefix="search")

    @classmethod
    def open(
        cls,
        path: Path,
        space: str,
        dimension: int,
        *,
        search_threads: int,
        reembed: Embed | None = None,
        words: QueryWords | None = None,
    ) -> "Catalog":
        """Open the record at `path` and build the index from it; raises StartupError as the record does."""
        record = CatalogRecord.open(path, space, dimension, reembed)
        index = CatalogIndex(dimension, words=words)
        try:
            for products, embeddings in record.rows():
                index.upsert(products, embeddings)
        except BaseException:
            record.close()
            raise
        INDEX_ROWS.set(len(index))
        return cls(record, index, search_threads)

    async def search(self, find: Callable[[], T]) -> T:
        """Return `find()`, a search of the index, without holding up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._searchers, find)

    async def upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        """Write `products`; on return they are durable and found. Raises Unavailable when they cannot be."""
        await self._write(lambda: self._upsert(products, embeddings))

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete products and return how many there were; on return they are gone for good."""
        return await self._write(lambda: self._delete(ids))

    def close(self) -> None:
        """Finish what is being written and flush the record."""
        self._writer.shutdown(wait=True)
        self._searchers.shutdown(wait=True)
        self.index.suggester.close()
        self._record.close()

    async def _write(self, change: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, change)
        except MilvusException as error:
            logger.exception("record_write_failed")
            raise Unavailable("the catalogue's record cannot be written; nothing was changed") from error

    def _upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        self._record.upsert(products, embeddings)
        self.index.upsert(products, embeddings)
        INDEX_ROWS.set(len(self.index))

    def _delete(self, ids: Sequence[str]) -> int:
        self._record.delete(ids)
        deleted = self.index.delete(ids)
        INDEX_ROWS.set(len(self.index))
        return deleted
