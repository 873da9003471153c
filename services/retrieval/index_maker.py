"""How every index of a process is made: each generation's with the same models and settings beside it."""

from dataclasses import dataclass

from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.index import CatalogIndex, Held
from services.retrieval.record import StoredGeneration
from services.retrieval.words.query_words import QueryWords


@dataclass(frozen=True)
class IndexMaker:
    """What the indexes of all generations share."""

    collaborative: CollaborativeModel | None = None
    words: QueryWords | None = None

    def empty(self, dimension: int) -> CatalogIndex:
        """Return an index without products for embeddings of one width."""
        return self.of(dimension)

    def begin(self, generation: StoredGeneration) -> CatalogIndex:
        """Return an index of a generation without its products."""
        return self.empty(generation.dimension)

    def of(self, dimension: int, held: Held | None = None) -> CatalogIndex:
        """Return an index of what is held already."""
        return CatalogIndex(dimension, collaborative=self.collaborative, words=self.words, held=held)
