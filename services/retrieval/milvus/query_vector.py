"""A query's words as Milvus searches them."""

from dataclasses import dataclass

from services.retrieval.fusion import Spread
from services.retrieval.milvus.sparse import SparseVector, TermStatistics, query_vector
from services.retrieval.weighting import naming_share
from services.retrieval.words.exclusions import UNWANTED_WEIGHT
from services.retrieval.words.query_words import QueryWords


@dataclass(frozen=True)
class QueryVector:
    """A query's words as a sparse vector, and the spread of their scores over the whole catalogue.

    `unwanted` weighs what the query excludes, to be taken off the scores of what is found: Milvus refuses
    negative weights. `naming` is the share of the words that are model numbers, as `weighting` tells.
    """

    query: str
    vector: SparseVector
    unwanted: SparseVector
    spread: Spread
    naming: float

    @classmethod
    def of(cls, query: str, words: QueryWords, statistics: TermStatistics, products: int) -> "QueryVector":
        """Return the vector of a query for a catalogue of so many `products`."""
        reading = words.reading(query)
        heard = words.synonyms.heard(reading.wanted)
        synonyms = (term for phrase in heard for other in phrase.others for term in other)
        terms = list(dict.fromkeys([*reading.terms, *synonyms]))
        against = query_vector(reading.unwanted, statistics)
        return cls(
            query,
            query_vector(terms, statistics),
            {place: UNWANTED_WEIGHT * weight for place, weight in against.items()},
            statistics.spread(terms).less(statistics.spread(reading.unwanted), UNWANTED_WEIGHT),
            naming_share(reading.terms, statistics.documents_with, products),
        )
