"""Products that are written while others search: re-indexing under load."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import SearchRequest, UpsertProductsRequest
from bench.measure import Target

_KNOWN_QUERIES = 20
_PAGE_SIZE = 50
_RETITLED_EVERY = 10  # the others change their price alone
_SECONDS = 10.0


@dataclass
class Written:
    """How many products were written, how many writes failed, and for how many seconds."""

    done: int = 0
    failed: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return what is told of them beside the searches."""
        return {"writes_per_second": self.done / self.seconds, "failed_writes": self.failed}


@asynccontextmanager
async def writing(of: Target, rate: float) -> AsyncIterator[Written]:
    """Write `rate` products a second while the block runs; raises grpc.aio.AioRpcError if none can be read.

    Products that searches find are written again with another price, each tenth with another title, which
    has to be embedded anew.
    """
    products, written = await _found(of), Written()
    writer = asyncio.create_task(_write(of.stubs[0], products, rate, written))
    try:
        yield written
    finally:
        writer.cancel()
        await asyncio.wait([writer])


async def _found(of: Target) -> list[Product]:
    stub: Any = of.stubs[0]
    found: dict[str, Product] = {}
    for _ in range(_KNOWN_QUERIES):
        request = SearchRequest(query=of.mix.query(), page_size=_PAGE_SIZE)
        answer = await stub.Search(request, timeout=_SECONDS)
        found |= {hit.product.id: hit.product for hit in answer.hits}
    if not found:
        raise ValueError(f"the gateway at {of.gateway} found no product to write; load a catalogue first")
    return list(found.values())


async def _write(stub: Any, products: Sequence[Product], rate: float, written: Written) -> None:
    start = time.perf_counter()
    while True:
        number = written.done + written.failed
        changed = Product()
        changed.CopyFrom(products[number % len(products)])
        changed.price.amount += 1 + number % 10
        if number % _RETITLED_EVERY == 0:
            language = next(iter(changed.title), "en")
            changed.title[language] += f" {number}"
        try:
            await stub.UpsertProducts(UpsertProductsRequest(products=[changed]), timeout=_SECONDS)
            written.done += 1
        except grpc.aio.AioRpcError:
            written.failed += 1
        written.seconds = time.perf_counter() - start
        await asyncio.sleep(max(0.0, start + (number + 1) / rate - time.perf_counter()))
