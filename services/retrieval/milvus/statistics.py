"""What is known of a whole catalogue that lies in Milvus: how its scores spread, and which fields it has."""

from collections import Counter

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.fusion import Spread
from services.retrieval.milvus.sparse import TermStatistics
from services.retrieval.moments import EmbeddingMoments, Vectors
from services.retrieval.text import lexical_terms


class CatalogStatistics:
    """Counts that are exact after every change, in memory that grows with the vocabulary alone.

    One thread changes it; others may read beside it.
    """

    def __init__(self, dimension: int) -> None:
        self.terms = TermStatistics()
        self._moments = EmbeddingMoments(dimension)
        self._attributes: Counter[str] = Counter()
        self._reviews: Counter[int] = Counter()

    def __len__(self) -> int:
        return self.terms.documents

    def put(self, product: Product, embedding: Vectors) -> None:
        """Count a product in, which has the embedding float32 [dimension]."""
        self.terms.put(lexical_terms(product))
        self._moments.add(embedding)
        self._attributes.update(product.attributes.keys())
        self._reviews[product.review_count.bit_length()] += 1

    def remove(self, product: Product, embedding: Vectors) -> None:
        """Count out a product that was put as it is here."""
        self.terms.remove(lexical_terms(product))
        self._moments.remove(embedding)
        self._attributes.subtract(product.attributes.keys())
        self._reviews[product.review_count.bit_length()] -= 1

    def spread(self, embedding: Vectors) -> Spread:
        """Return the mean and deviation of an embedding's inner products with all embeddings."""
        return self._moments.spread(embedding)

    def mean(self) -> Vectors:
        """Return the mean of all embeddings: float32 [dimension]."""
        return self._moments.mean()

    @property
    def attributes(self) -> list[str]:
        """The keys of attributes that products have."""
        return [key for key, count in list(self._attributes.items()) if count > 0]

    def most_reviewed(self, count: int) -> int:
        """Return the greatest number of reviews, a power of two or 0, that `count` products have."""
        held = 0
        for bits in sorted(self._reviews, reverse=True):
            held += self._reviews[bits]
            if held >= count:
                return 1 << (bits - 1) if bits else 0
        return 0
