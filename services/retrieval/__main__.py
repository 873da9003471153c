"""`python -m services.retrieval`: the process that owns the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aisle.retrieval.v1.retrieval_pb2_grpc import add_RetrievalServiceServicer_to_server
from runtime.inference.encoder import TextModel
from runtime.inference.store import ModelStore
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from services.retrieval.catalog import Catalog
from services.retrieval.encoder import Encoder
from services.retrieval.service import RetrievalServicer
from services.retrieval.settings import RetrievalSettings

_MODEL = "retriever"
_RECORD = "catalog.db"
_SERVICE = "aisle.retrieval.v1.RetrievalService"


@asynccontextmanager
async def _serving(settings: RetrievalSettings) -> AsyncIterator[Sequence[Endpoint]]:
    model = TextModel.open(ModelStore(settings.models), _MODEL, settings)
    encoder = Encoder(model)
    catalog = await asyncio.to_thread(
        Catalog.open,
        settings.state / _RECORD,
        encoder.space,
        encoder.dimension,
        search_threads=settings.search_threads,
        reembed=encoder.products_sync if settings.reembed else None,
    )
    try:
        model.warm_up()
        servicer = RetrievalServicer(catalog, encoder, settings.dense_budget_seconds)
        yield [Endpoint(_SERVICE, partial(add_RetrievalServiceServicer_to_server, servicer))]
    finally:
        await model.close()
        await asyncio.to_thread(catalog.close)


if __name__ == "__main__":
    settings = load(RetrievalSettings)
    main("retrieval", settings, partial(_serving, settings))
