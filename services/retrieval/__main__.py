"""`python -m services.retrieval`: the process that owns the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aisle.retrieval.v1.generations_pb2_grpc import add_GenerationServiceServicer_to_server
from aisle.retrieval.v1.retrieval_pb2_grpc import add_RetrievalServiceServicer_to_server
from runtime import heap
from runtime.inference.store import ModelStore
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from runtime.spelling.chinese import read_tables
from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.generation_service import GenerationServicer
from services.retrieval.index_maker import IndexMaker
from services.retrieval.opening import open_catalog
from services.retrieval.retrievers import Retrievers
from services.retrieval.service import RetrievalServicer
from services.retrieval.settings import RetrievalSettings
from services.retrieval.words.query_words import QueryWords

_SEARCHING = "aisle.retrieval.v1.RetrievalService"
_OPERATING = "aisle.retrieval.v1.GenerationService"


@asynccontextmanager
async def _serving(settings: RetrievalSettings) -> AsyncIterator[Sequence[Endpoint]]:
    store = ModelStore(settings.models)
    retrievers = Retrievers(store, settings, settings.remembered_queries)
    collaborative = CollaborativeModel.open(store, settings)
    read_tables()
    words = QueryWords.read(settings.synonyms, settings.queries)
    catalog, lifecycle = await open_catalog(settings, retrievers, IndexMaker(collaborative, words))
    searching = RetrievalServicer(
        catalog, lifecycle, settings.dense_budget_seconds, settings.remembered_queries
    )
    operating = GenerationServicer(catalog, lifecycle)
    keeping = asyncio.create_task(catalog.keep_snapshots())
    try:
        lifecycle.resume()
        yield [
            Endpoint(_SEARCHING, partial(add_RetrievalServiceServicer_to_server, searching)),
            Endpoint(_OPERATING, partial(add_GenerationServiceServicer_to_server, operating)),
        ]
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await lifecycle.close()
        await asyncio.to_thread(catalog.close)


if __name__ == "__main__":
    settings = load(RetrievalSettings)
    heap.share_arenas()
    main("retrieval", settings, partial(_serving, settings))
