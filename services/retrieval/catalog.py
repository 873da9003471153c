"""The catalogue as the service sees it: written to the record first, and searched by its index."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from runtime.observability.logs import get_logger
from runtime.observability.metrics import INDEX_ROWS
from runtime.serving.errors import Unavailable
from runtime.threads import Threads
from services.retrieval.following import Follower
from services.retrieval.generation import Generation
from services.retrieval.index import CatalogIndex
from services.retrieval.record import CatalogRecord, Embeddings, RecordError
from services.retrieval.searching import SearchIndex
from services.retrieval.snapshot.keeper import SnapshotKeeper

logger = get_logger(__name__)

T = TypeVar("T")

_SNAPSHOT_SECONDS = 5.0  # between looks whether one is due


class Catalog:
    """Keeps the record and the index alike: one thread writes, first the record, then the index.

    So an acknowledged write is durable and visible, and concurrent writes of one product reach both in the
    same order. Searches run on threads of their own and never wait for the record. A generation beside the
    served one follows it: it learns of each write here, and the same thread writes it.
    """

    def __init__(
        self,
        record: CatalogRecord,
        serving: Generation,
        search_threads: int,
        snapshots: SnapshotKeeper | None = None,
    ) -> None:
        self.serving = serving
        self.follower: Follower | None = None
        self._record = record
        self._snapshots = snapshots
        self._waiting = 0  # writes that were asked for and have not ended
        self._writer = Threads(1, thread_name_prefix="catalog-writer")
        self._searchers = Threads(search_threads, thread_name_prefix="search")
        INDEX_ROWS.set(len(serving.index))

    @property
    def index(self) -> SearchIndex[Any]:
        """The served index; a search takes `serving` once instead, for the encoder of the same space."""
        return self.serving.index

    async def search(self, find: Callable[[], T]) -> T:
        """Return `find()`, a search of the index, without holding up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._searchers, find)

    async def write(self, change: Callable[[CatalogRecord], T]) -> T:
        """Return `change(record)`, run on the one thread that may use the record; raises what it raises."""
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._writer, partial(change, self._record))
        finally:
            self._waiting -= 1

    async def upsert(self, products: Sequence[Product]) -> None:
        """Embed and write `products`; on return they are durable and found.

        Raises Unavailable when they cannot be, and what the encoder raises.
        """
        written = False
        while not written:  # more than once only when another generation was activated meanwhile
            serving = self.serving
            embeddings = await self._embed(serving, products)
            written = await self._confirmed(partial(self._upsert, serving, products, embeddings))

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete products and return how many there were; on return they are gone for good."""
        return await self._confirmed(partial(self._delete, ids))

    def serve(self, generation: Generation, follower: Follower) -> None:
        """Serve another generation, followed by the one before; the thread that writes calls it."""
        self.serving, self.follower = generation, follower
        if self._snapshots is not None:
            self._snapshots.discard()  # it is of the other generation

    async def keep_snapshots(self) -> None:
        """Take a snapshot of the index whenever many writes have ended; runs until it is cancelled.

        A write that comes while one is being taken goes first.
        """
        if self._snapshots is None:
            return
        while True:
            await asyncio.sleep(_SNAPSHOT_SECONDS)
            if self._snapshots.due():
                await self.write(partial(self._take_snapshot, lambda: self._waiting > 1))

    def close(self) -> None:
        """Finish what is being written and flush the record."""
        self._writer.shutdown(wait=True)
        self._searchers.shutdown(wait=True)
        self.index.close()
        if self._snapshots is not None:
            self._take_snapshot(lambda: False, self._record)
            self._snapshots.close()
        self._record.close()

    def _take_snapshot(self, stop: Callable[[], bool], record: CatalogRecord) -> None:
        if self._snapshots is not None and isinstance(self.index, CatalogIndex):
            self._snapshots.take(record, self.serving.stored, self.index, stop)

    def _note(self, ids: Sequence[str]) -> None:
        if self._snapshots is not None:
            self._snapshots.note(ids)

    def _applied(self, ids: Sequence[str]) -> None:
        if self._snapshots is not None:
            self._snapshots.applied(ids)

    async def _embed(self, serving: Generation, products: Sequence[Product]) -> Embeddings:
        """Return the embeddings of products, float32 [n, dimension].

        Those of products whose text is unchanged are taken from the index, which is of the encoder's space:
        most upserts change a price or the stock.
        """
        held = await self.search(partial(serving.index.embeddings_of, products))
        changed = [place for place, embedding in enumerate(held) if embedding is None]
        if changed:
            made = await serving.encoder.products([products[place] for place in changed])
            for place, embedding in zip(changed, made, strict=True):
                held[place] = embedding
        return np.stack([embedding for embedding in held if embedding is not None])

    async def _confirmed(self, change: Callable[[CatalogRecord], T]) -> T:
        try:
            return await self.write(change)
        except RecordError as error:
            logger.exception("record_write_failed")
            raise Unavailable(
                "the catalogue's record did not confirm the write, searches go on without it; send it again"
            ) from error

    def _upsert(
        self, made_for: Generation, products: Sequence[Product], embeddings: Embeddings, record: CatalogRecord
    ) -> bool:
        """Write to the served generation, and return True if it is still the one of the embeddings."""
        if made_for is not self.serving:
            return False
        self._note([product.id for product in products])
        record.upsert(made_for.stored, products, embeddings)
        made_for.index.upsert(products, embeddings)
        self._applied([product.id for product in products])
        self._changed([product.id for product in products])
        return True

    def _delete(self, ids: Sequence[str], record: CatalogRecord) -> int:
        self._note(ids)
        known = len(self.serving.index.get(dict.fromkeys(ids)))
        record.delete(self.serving.stored, ids)
        self.serving.index.delete(ids)
        self._applied(ids)
        self._changed(ids)
        return known

    def _changed(self, ids: Iterable[str]) -> None:
        INDEX_ROWS.set(len(self.serving.index))
        self.serving.index.suggester.refresh()
        if self.follower is not None:
            self.follower.lag(ids)
