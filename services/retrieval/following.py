"""A generation beside the served one: built while searches and writes go on, then kept up with both."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from runtime.observability.logs import get_logger
from runtime.observability.metrics import BUILD_PROGRESS
from services.retrieval.generation import Generation
from services.retrieval.record import CatalogRecord, Embeddings

logger = get_logger(__name__)

T = TypeVar("T")

_STORED_AT_ONCE = 32
_EMBEDDED_AT_ONCE = 2  # so that a query that comes in between waits for two products at most
_COMPARED_AT_ONCE = 512
_LONGEST_YIELD_SECONDS = 1.0  # under a load that never pauses the build goes on, slowly
_LOGGED_SHARE = 0.1


class Followed(Protocol):
    """What a follower needs of the catalogue: who is served, and the thread that may write."""

    serving: Generation

    async def write(self, change: Callable[[CatalogRecord], T]) -> T: ...


class Follower:
    """Brings `generation` up with the served one and keeps it there.

    What differs is found by comparing products, so a build that was killed goes on where it was: no product
    is embedded again unless it has changed. Deletions are followed at once; changed products as soon as
    queries leave the model time. `caught_up` is for a generation that is known to equal the served one.
    """

    def __init__(self, catalog: Followed, generation: Generation, *, caught_up: bool = False) -> None:
        self.generation = generation
        self._index = generation.index
        self.error = ""
        self.ready = caught_up
        self._loaded = caught_up
        self._catalog = catalog
        self._behind: dict[str, None] = {}  # touched by the writing thread alone
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._logged = 0.0

    @property
    def behind(self) -> int:
        """Number of changes that the generation does not hold yet, of those that are known."""
        return len(self._behind)

    def lag(self, ids: Iterable[str]) -> None:
        """Note that products were written or deleted; called on the writing thread."""
        self._behind |= dict.fromkeys(ids)
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Follow until cancelled; a failure ends it and is kept in `error`."""
        try:
            if not self._loaded:
                await self._load()
                await self._compare()
            while True:
                await self._catch_up()
                await self._wake.wait()
                self._wake.clear()
        except Exception as error:  # whatever it was, the served generation goes on and the operator is told
            self.ready, self.error = False, f"{type(error).__name__}: {error}"
            logger.exception("generation_failed", embedding_space=self.generation.stored.embedding_space)

    def finish(self, record: CatalogRecord) -> None:
        """Embed and store all that is missing now; on the writing thread, so nothing is added meanwhile."""
        while products := self._take(record):
            self._store(products, self.generation.encoder.products_sync(products), record)

    async def _load(self) -> None:
        """Read what an earlier process has built into the index, unless that is what it searches anyway."""
        if self._index.reads_record:
            self._loaded = True
            return
        pages = await self._catalog.write(lambda record: record.rows(self.generation.stored))

        def put(_: CatalogRecord) -> bool:
            page = next(pages, None)
            if page is not None:
                self.generation.index.upsert(*page)
            return page is not None

        while await self._catalog.write(put):
            self._report()
        self._loaded = True

    async def _compare(self) -> None:
        """Note every product that only one of the two generations holds, or holds differently."""
        ids = await self._catalog.write(lambda _: [*self._catalog.serving.index.ids(), *self._index.ids()])
        distinct = list(dict.fromkeys(ids))
        for start in range(0, len(distinct), _COMPARED_AT_ONCE):
            part = distinct[start : start + _COMPARED_AT_ONCE]
            await self._catalog.write(partial(self._compare_part, part))
        self._log()

    def _compare_part(self, ids: Sequence[str], _: CatalogRecord) -> None:
        served = {product.id: product for product in self._catalog.serving.index.get(ids)}
        built = {product.id: product for product in self._index.get(ids)}
        self._behind |= {each: None for each in ids if served.get(each) != built.get(each)}

    async def _catch_up(self) -> None:
        while products := await self._catalog.write(self._take):
            embeddings = [
                await self._embed(products[start : start + _EMBEDDED_AT_ONCE])
                for start in range(0, len(products), _EMBEDDED_AT_ONCE)
            ]
            await self._catalog.write(partial(self._store, products, np.concatenate(embeddings)))
            self._report()
        if not self.ready:
            self.ready = True
            self.generation.index.suggester.prepare()
            self._log()
        self._report()

    async def _embed(self, products: Sequence[Product]) -> Embeddings:
        await self._catalog.serving.encoder.quiet(_LONGEST_YIELD_SECONDS)
        return await self.generation.encoder.products(products)

    def _take(self, record: CatalogRecord) -> list[Product]:
        """Return the next products to be embedded, and delete here what is gone there."""
        products: list[Product] = []
        while self._behind and not products:
            ids = list(islice(self._behind, _STORED_AT_ONCE))
            products = self._catalog.serving.index.get(ids)
            if gone := set(ids) - {product.id for product in products}:
                record.delete(self.generation.stored, sorted(gone))
                self._index.delete(gone)
            for each in gone:
                del self._behind[each]
        return products

    def _store(self, products: Sequence[Product], embeddings: Embeddings, record: CatalogRecord) -> None:
        """Store those that are still what was embedded; the others stay behind."""
        now = {each.id: each for each in self._catalog.serving.index.get([each.id for each in products])}
        kept = [place for place, product in enumerate(products) if now.get(product.id) == product]
        if kept:
            unchanged = [products[place] for place in kept]
            record.upsert(self.generation.stored, unchanged, embeddings[kept])
            self._index.upsert(unchanged, embeddings[kept])
        for place in kept:
            del self._behind[products[place].id]

    def _report(self) -> None:
        total = len(self._catalog.serving.index)
        share = min(len(self._index) / total, 1.0) if total else 1.0
        BUILD_PROGRESS.set(share)
        if share >= self._logged + _LOGGED_SHARE:
            self._log()

    def _log(self) -> None:
        done, total = len(self._index), len(self._catalog.serving.index)
        self._logged = done / total if total else 1.0
        logger.info(
            "generation_ready" if self.ready else "generation_building",
            embedding_space=self.generation.stored.embedding_space,
            products=done,
            of=total,
            behind=self.behind,
        )
