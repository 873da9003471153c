"""The record of a catalogue that Milvus searches too: statistics of each generation follow its writes."""

from collections.abc import Sequence

import numpy as np
from pymilvus import MilvusClient

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.milvus.search import MilvusSearch, SearchLayout
from services.retrieval.milvus.statistics import CatalogStatistics
from services.retrieval.milvus_client import Engine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import Embeddings, StoredGeneration


class SearchedRecord(MilvusRecord):
    """A record whose collections Milvus can search, and which counts what they hold.

    A write of which the server fails to say how it ended may leave the statistics off by its products until
    the next start; they weigh words, and decide nothing else.
    """

    def __init__(self, client: MilvusClient, engine: Engine, layout: SearchLayout | None = None) -> None:
        layout = layout or SearchLayout(engine.has_sparse_vectors(client))
        super().__init__(client, engine, layout)
        self._has_words = layout.has_words
        self._statistics: dict[str, CatalogStatistics] = {}

    def search(self, generation: StoredGeneration) -> MilvusSearch:
        """Return a search of a generation."""
        return MilvusSearch(self._client, self._engine, generation, self._has_words)

    def statistics(self, generation: StoredGeneration) -> CatalogStatistics:
        """Return the statistics of a generation; every product is read when they are first asked for."""
        counted = self._statistics
        if generation.name not in counted:
            statistics = CatalogStatistics(generation.dimension)
            for products, embeddings in self.rows(generation):
                for product, embedding in zip(products, embeddings, strict=True):
                    statistics.put(product, embedding)
            counted[generation.name] = statistics
        return counted[generation.name]

    def upsert(
        self, generation: StoredGeneration, products: Sequence[Product], embeddings: Embeddings
    ) -> None:
        """Write products with their embeddings."""
        statistics = self.statistics(generation)
        replaced = self.search(generation).get([each.id for each in products])
        super().upsert(generation, products, embeddings)
        for product, embedding in zip(replaced.products, replaced.embeddings, strict=True):
            statistics.remove(product, embedding)
        for product, embedding in zip(products, np.asarray(embeddings, np.float32), strict=True):
            statistics.put(product, embedding)

    def delete(self, generation: StoredGeneration, ids: Sequence[str]) -> None:
        """Delete the products with `ids`; unknown ids are no error."""
        statistics = self.statistics(generation)
        search = self.search(generation)
        deleted = search.get(list(dict.fromkeys(ids)))
        super().delete(generation, ids)
        search.settle()
        for product, embedding in zip(deleted.products, deleted.embeddings, strict=True):
            statistics.remove(product, embedding)

    def drop(self, generation: StoredGeneration) -> None:
        """Delete a generation with all it holds. Raises ValueError when it is the active one."""
        super().drop(generation)
        self._statistics.pop(generation.name, None)
