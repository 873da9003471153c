"""How the index of every generation is made where Milvus searches."""

from dataclasses import dataclass

from runtime.observability.logs import get_logger
from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.milvus.index import MilvusIndex
from services.retrieval.milvus.record import SearchedRecord
from services.retrieval.record import StoredGeneration
from services.retrieval.words.query_words import QueryWords

logger = get_logger(__name__)


@dataclass(frozen=True)
class MilvusIndexes:
    """What the indexes of all generations of a record share."""

    record: SearchedRecord
    collaborative: CollaborativeModel | None = None
    words: QueryWords | None = None

    def begin(self, generation: StoredGeneration) -> MilvusIndex:
        """Return the index of a generation after reading it once for its statistics."""
        search = self.record.search(generation)
        if not search.has_words:
            logger.warning("words_not_searched", reason="Milvus before 2.4: meaning alone decides")
        statistics = self.record.statistics(generation)
        logger.info("statistics_counted", collection=generation.name, products=len(statistics))
        return MilvusIndex(search, statistics, self.collaborative, self.words)
