"""`python -m services.retrieval`: the process that owns the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from aisle.retrieval.v1.retrieval_pb2_grpc import add_RetrievalServiceServicer_to_server
from runtime.inference.encoder import TextModel
from runtime.inference.store import ModelStore
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from services.retrieval.catalog import Catalog
from services.retrieval.encoder import Encoder, require_embeddings
from services.retrieval.service import RetrievalServicer
from services.retrieval.settings import RetrievalSettings
from services.retrieval.words.query_words import QueryWords

_MODEL = "retriever"
_RECORD = "catalog.db"
_SERVICE = "aisle.retrieval.v1.RetrievalService"


@asynccontextmanager
async def _serving(settings: RetrievalSettings) -> AsyncIterator[Sequence[Endpoint]]:
    store = ModelStore(settings.models)
    manifest = store.open(_MODEL).manifest
    require_embeddings(manifest)
    words = QueryWords.read(settings.synonyms, settings.queries)
    with ThreadPoolExecutor(1) as beside:  # the graph is loaded while the record is read
        loading = beside.submit(TextModel.open, store, _MODEL, settings)
        catalog = await asyncio.to_thread(
            Catalog.open,
            settings.state / _RECORD,
            manifest.embedding_space,
            manifest.dimension,
            search_threads=settings.search_threads,
            reembed=(lambda products: Encoder(loading.result()).products_sync(products))
            if settings.reembed
            else None,
            words=words,
        )
    try:
        model = loading.result()
        model.warm_up()
        servicer = RetrievalServicer(catalog, Encoder(model), settings.dense_budget_seconds)
        try:
            yield [Endpoint(_SERVICE, partial(add_RetrievalServiceServicer_to_server, servicer))]
        finally:
            await model.close()
    finally:
        await asyncio.to_thread(catalog.close)


if __name__ == "__main__":
    settings = load(RetrievalSettings)
    main("retrieval", settings, partial(_serving, settings))
