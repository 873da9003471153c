"""A set in the index that serves, and its queries put to it, also under other settings than served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aisle.retrieval.v1.retrieval_pb2 import Candidates
from services.retrieval import fusion
from services.retrieval.index import CatalogIndex
from services.retrieval.scoring import SERVED, Weights
from services.retrieval.text import passage, question
from services.retrieval.words.query_words import QueryWords
from training.evaluate.embeddings import StoredEmbeddings
from training.evaluate.sets import EvaluationSet

DEPTH = 200  # candidates asked for and ranked; the gateway's number
Ranking = list[str]  # product ids, best first
_PLAIN = Weights(feedback=0.0, agreement=0.0)


@dataclass(frozen=True)
class Prefixes:
    """What an encoder wants before a query and before a passage."""

    query: str
    passage: str


@dataclass(frozen=True)
class Searched:
    """A set in an index: `texts` are the queries as they are searched for, after spelling correction.

    products, queries: float32 [n, dimension], L2-normalised rows.
    """

    judged: EvaluationSet
    index: CatalogIndex
    texts: Sequence[str]
    products: NDArray[np.float32]
    queries: NDArray[np.float32]

    def candidates(self) -> list[Candidates]:
        """The fused candidates of each query, as served."""
        return [
            self.index.search(text, embedding, DEPTH).candidates
            for text, embedding in zip(self.texts, self.queries, strict=True)
        ]

    def lexical(self) -> list[Ranking]:
        """The ranking of each query by its words alone."""
        return [list(self.index.search(text, None, DEPTH).candidates.products.ids) for text in self.texts]

    def dense(self) -> list[Ranking]:
        """The ranking of each query by its meaning alone."""
        ids = [product.id for product in self.judged.products]
        return [
            [ids[row] for row in fusion.best(self.products @ query, DEPTH).tolist()] for query in self.queries
        ]

    def scaled(self, times: float) -> list[Ranking]:
        """The fused ranking of each query, its lexical weight multiplied by `times`."""
        return [self._weighted(place, times, adapted=True) for place in range(len(self.texts))]

    def fixed(self, weight: float) -> list[Ranking]:
        """The fused ranking of each query with one lexical weight for all of them."""
        times = weight / fusion.LEXICAL_WEIGHT
        return [self._weighted(place, times, adapted=False) for place in range(len(self.texts))]

    def otherwise(self, weights: Weights = SERVED, *, exclusions: bool = True) -> "Searched":
        """Return the same with other weights, or with what queries exclude read as if they wanted it."""
        if weights == SERVED and exclusions:
            return self
        return replace(self, index=_index(self.judged, self.products, weights, exclusions=exclusions))

    def _weighted(self, place: int, times: float, *, adapted: bool) -> Ranking:
        words = self.index.match_words(self.texts[place])
        words = replace(words, emphasis=times * (words.emphasis if adapted else 1.0))
        found = self.index.search(words.query, self.queries[place], DEPTH, words=words)
        return list(found.candidates.products.ids)


def put(
    judged: EvaluationSet,
    prefixes: Prefixes,
    embeddings: StoredEmbeddings,
    *,
    plain: bool = False,
) -> Searched:
    """Embed the products and queries of a set, or read them where they are kept, and build its index.

    A `plain` one fuses words and meaning and does nothing else.
    """
    passages = [prefixes.passage + passage(product) for product in judged.products]
    products = embeddings.embed(f"{judged.name}: products", passages)
    index = _index(judged, products, _PLAIN if plain else SERVED, exclusions=not plain)
    texts = [_as_searched(index, query.text) for query in judged.queries]
    asked = [prefixes.query + question(text) for text in texts]
    queries = embeddings.embed(f"{judged.name}: queries", asked, alone=True)
    return Searched(judged, index, texts, products, queries)


def _index(
    judged: EvaluationSet, products: NDArray[np.float32], weights: Weights, *, exclusions: bool
) -> CatalogIndex:
    words = replace(QueryWords.shipped(), exclusions=exclusions)
    index = CatalogIndex(products.shape[1], weights, words=words)
    index.upsert(judged.products, products)
    return index


def _as_searched(index: CatalogIndex, query: str) -> str:
    """Return the query that the service searches for when `query` is typed."""
    correction = index.correct(query)
    return correction.query if correction and correction.confident else query
