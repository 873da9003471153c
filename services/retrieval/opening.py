"""What happens between the record on disk and a service that answers."""

import asyncio
from contextlib import ExitStack
from typing import Any

from runtime import heap
from runtime.inference.manifest import Manifest
from runtime.observability.logs import get_logger
from runtime.settings import StartupError
from runtime.threads import Threads
from services.retrieval.catalog import Catalog
from services.retrieval.generation import Generation
from services.retrieval.index_maker import IndexMaker
from services.retrieval.lifecycle import Lifecycle
from services.retrieval.milvus.index_maker import MilvusIndexes
from services.retrieval.milvus.record import SearchedRecord
from services.retrieval.milvus_client import Engine, LiteEngine, ServerEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.rebuilding import rebuild
from services.retrieval.record import CatalogRecord, StoredGeneration
from services.retrieval.retrievers import Retrievers
from services.retrieval.searching import Indexes, SearchIndex
from services.retrieval.settings import RetrievalSettings
from services.retrieval.snapshot.keeper import SnapshotKeeper

logger = get_logger(__name__)

_RECORD = "catalog.db"


def engine_of(settings: RetrievalSettings) -> Engine:
    """Return where the record is kept."""
    if settings.milvus_uri:
        return ServerEngine(settings.milvus_uri, settings.milvus_token)
    return LiteEngine(settings.state / _RECORD)


async def open_catalog(
    settings: RetrievalSettings, retrievers: Retrievers, maker: IndexMaker
) -> tuple[Catalog, Lifecycle]:
    """Return the catalogue in the active generation, and what may change that.

    The model is the one of the record's embedding space, even where the store names a newer one current.
    Raises StartupError when the record cannot be opened, or the store has no model of its space.
    """
    catalog, others, indexes = await asyncio.to_thread(_open, settings, retrievers, maker)
    return catalog, Lifecycle(catalog, retrievers, others, indexes)


def _open(
    settings: RetrievalSettings, retrievers: Retrievers, maker: IndexMaker
) -> tuple[Catalog, list[StoredGeneration], Indexes]:
    current = retrievers.current()
    with ExitStack() as undo:
        record, indexes = _backend(settings, maker)
        undo.callback(record.close)
        stored = _active(record, current)
        if settings.reembed and stored.embedding_space != current.embedding_space:
            stored = rebuild(record, stored, current, retrievers)
        served = _manifest_of(stored, retrievers, current, engine_of(settings).name)
        snapshots = _snapshots(settings)
        with Threads(1) as beside:  # the graph is loaded while the record is read
            loading = beside.submit(retrievers.open, served.version)
            index: SearchIndex[Any] | None = snapshots.restored(record, stored, maker) if snapshots else None
            if index is None:
                index = _read(record, stored, indexes)
            index.suggester.prepare()
            generation = Generation(stored, loading.result(), index)
        others = [each for each in record.generations() if each != stored]
        catalog = Catalog(record, generation, settings.search_threads, snapshots)
        undo.pop_all()
    heap.give_back()  # reading took more than what is kept
    return catalog, others, indexes


def _backend(settings: RetrievalSettings, maker: IndexMaker) -> tuple[CatalogRecord, Indexes]:
    """Return the record, and what makes the indexes that search it."""
    engine = engine_of(settings)
    if settings.search == "in-process":
        return MilvusRecord.open(engine), maker
    record = SearchedRecord.open(engine)
    return record, MilvusIndexes(record, maker.collaborative, maker.words)


def _active(record: CatalogRecord, current: Manifest) -> StoredGeneration:
    active = record.active()
    if active is None:
        active = record.create(current.embedding_space, current.dimension)
        record.activate(active)
    return active


def _manifest_of(stored: StoredGeneration, retrievers: Retrievers, current: Manifest, where: str) -> Manifest:
    served = retrievers.of_space(stored.embedding_space, stored.dimension)
    if served is None:
        raise StartupError(
            f"{where} holds embeddings of space {stored.embedding_space!r} ({stored.dimension} wide), of "
            f"which the store has no model; its current one makes {current.embedding_space!r} "
            f"({current.dimension} wide): start once with --reembed true to compute them anew, put the model "
            "back, or name another folder with --state"
        )
    if served.version != current.version:
        logger.warning(
            "older_model_served",
            serving=served.version,
            current=current.version,
            remedy="python -m services.retrieval.generations build",
        )
    return served


def _snapshots(settings: RetrievalSettings) -> SnapshotKeeper | None:
    """Only a record that no other process writes to can be known to equal a snapshot beside it."""
    kept_here = not settings.milvus_uri and settings.search == "in-process"
    return SnapshotKeeper(settings.state) if kept_here else None


def _read(record: CatalogRecord, stored: StoredGeneration, indexes: Indexes) -> SearchIndex[Any]:
    index = indexes.begin(stored)
    try:
        for products, embeddings in () if index.reads_record else record.rows(stored):
            index.upsert(products, embeddings)
    except BaseException:
        index.close()
        raise
    return index
