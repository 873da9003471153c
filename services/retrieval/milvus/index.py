"""A catalogue that Milvus searches: the best of each channel come from there, and are fused as in process."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.observability.logs import get_logger
from runtime.serving.errors import Unavailable
from services.retrieval.answer import Channel, Retrieved
from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.history import taste
from services.retrieval.matching import DEPTH
from services.retrieval.milvus import finding
from services.retrieval.milvus.collaborating import Collaborating
from services.retrieval.milvus.expressions import BUYABLE, all_of, but, fact
from services.retrieval.milvus.no_suggestions import NoSuggestions
from services.retrieval.milvus.pool import FoundRows, Wanted
from services.retrieval.milvus.query_vector import QueryVector
from services.retrieval.milvus.schema import Schema
from services.retrieval.milvus.search import Hits, MilvusSearch
from services.retrieval.milvus.statistics import CatalogStatistics
from services.retrieval.record import RecordError
from services.retrieval.selection import EVERYTHING, Selection
from services.retrieval.text import passage
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.spelling import Correction

logger = get_logger(__name__)

_FRESH_SECONDS = 30 * 86_400
_MOST_FOUND = 4_096  # products of each channel, where variants are collapsed
_FEWER_REVIEWS = 4  # popular products are asked for by numbers of reviews, each time so many times fewer


class MilvusIndex:
    """A SearchIndex of which this process holds nothing but statistics.

    Each channel is asked for its best in the whole catalogue and, under a filter, for its best there too; all
    found are scored by every channel, exactly. Totals and facets count what was found, and say so.
    """

    reads_record = True
    state = None
    suggester = NoSuggestions()

    def __init__(
        self,
        search: MilvusSearch,
        statistics: CatalogStatistics,
        collaborative: CollaborativeModel | None = None,
        words: QueryWords | None = None,
    ) -> None:
        self.dimension = search.dimension
        self._search = search
        self._statistics = statistics
        self._collaborating = Collaborating(collaborative)
        self._query_words = words or QueryWords()
        self._schema = Schema(search.dimension)

    def __len__(self) -> int:
        return len(self._statistics)

    @property
    def collaborative_version(self) -> ModelVersion | None:
        """The model behind the collaborative channel, None when there is none."""
        return self._collaborating.version

    def upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        """Nothing: the record that holds them is what is searched."""

    def delete(self, ids: Iterable[str]) -> int:
        """Nothing: they are gone from what is searched."""
        return 0

    def get(self, ids: Iterable[str]) -> list[Product]:
        """Return the products with `ids` in the order asked, unknown ones left out."""
        with _reachable():
            return self._search.get(list(ids)).products

    def ids(self) -> list[str]:
        """Return the ids of all products."""
        with _reachable():
            return [each for page in self._search.scan() for each in page]

    def embeddings_of(self, products: Sequence[Product]) -> list[NDArray[np.float32] | None]:
        """Return the embedding held of each product, None where the text that is embedded is another."""
        with _reachable():
            held = self._search.get([each.id for each in products])
        pairs = zip(held.products, held.embeddings, strict=True)
        known = {product.id: (passage(product), embedding) for product, embedding in pairs}
        return [
            known[each.id][1] if each.id in known and known[each.id][0] == passage(each) else None
            for each in products
        ]

    def may_be_misspelt(self, query: str) -> bool:
        """Never: correcting needs the catalogue's words by their letters, which are not held."""
        return False

    def correct(self, query: str) -> Correction | None:
        """Return None."""
        return None

    def match_words(self, query: str) -> QueryVector:
        """Return the query's words as they are searched."""
        return QueryVector.of(query, self._query_words, self._statistics.terms, len(self))

    def search(
        self,
        query: str,
        embedding: NDArray[np.float32] | None,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        words: QueryVector | None = None,
        *,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the `limit` best products for `query` by words and, given its `embedding`, by meaning.

        Raises Unavailable without an embedding where Milvus is too old to search words.
        """
        given = words if words is not None and words.query == query else self.match_words(query)
        wanted = Wanted(wish, limit, history_ids)
        if embedding is None and not self._search.has_words:
            raise Unavailable(
                "the query was not encoded, and a Milvus before 2.4 searches no words; try again"
            )
        with _reachable():
            return self._deep_enough(wanted, lambda depth: self._find(embedding, given, wanted, depth))

    def similar_to(
        self,
        product_id: str,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        *,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the products nearest to one, without it. Raises KeyError when it is unknown."""
        wanted, others = Wanted(wish, limit, history_ids), but([product_id])
        where = all_of(others, self._where(wish))
        with _reachable():
            known = self._search.get([product_id, *history_ids])
            if product_id not in known.ids:
                raise KeyError(product_id)
            embedding, total = known.embeddings[0], self._search.count(where)

            def find(depth: int) -> Retrieved:
                near = [self._search.dense(embedding, depth, each) for each in _narrowed(others, where, wish)]
                found = self._found([known, *near])
                return finding.similar(found, product_id, self._statistics, wanted, total)

            return self._deep_enough(wanted, find)

    def for_user(
        self,
        history_ids: Sequence[str],
        limit: int = 200,
        *,
        wish: Selection = EVERYTHING,
        now: float | None = None,
    ) -> Retrieved:
        """Return products near the user's taste, what such users turned to next and popular ones, fused.

        Without history the popular ones. Some are new (`now`: seconds since 1970, the clock's by default).
        """
        wanted, seconds = Wanted(wish, limit, history_ids), time.time() if now is None else now
        with _reachable():
            history = self._search.get(history_ids)
            others = all_of(BUYABLE, but(history.ids) if history.ids else "")
            where = all_of(others, self._where(wish))
            total = self._search.count(where)

            def find(depth: int) -> Retrieved:
                wheres = _narrowed(others, where, wish)
                hits = [hit for each in wheres for hit in self._liked(history, each, depth, seconds)]
                hits.append(self._search.get(self._collaborating.next_ids(history_ids, depth)))
                found = self._found([history, *hits])
                beside = self._collaborating.channels(history_ids, found.rows.ids())
                return finding.for_user(found, self._statistics, wanted, beside, total=total, now=seconds)

            return self._deep_enough(wanted, find)

    def close(self) -> None:
        """Nothing: the record's client is used."""

    def _deep_enough(self, wanted: Wanted, find: Callable[[int], Retrieved]) -> Retrieved:
        """Return what is found by asking each channel for so many that enough are left after the collapse."""
        depth, start = max(wanted.limit, DEPTH), time.perf_counter()
        while True:
            found = replace(find(depth), seconds={"milvus": time.perf_counter() - start})
            short = len(found.candidates.products.ids) < wanted.limit and wanted.wish.collapse_variants
            if not short or depth >= min(len(self), _MOST_FOUND):
                return found
            depth *= 2

    def _find(
        self, embedding: NDArray[np.float32] | None, words: QueryVector, wanted: Wanted, depth: int
    ) -> Retrieved:
        hits, scores = self._best(embedding, words, wanted, depth)
        found = self._found(hits)
        others = [each for each in found.rows.ids() if each not in scores]
        if self._search.has_words:
            scores |= self._search.words_of(words.vector, others)
            for each, score in self._search.words_of(words.unwanted, found.rows.ids()).items():
                scores[each] = scores.get(each, 0.0) - score
        by_row = found.spread_out(scores)
        lexical = Channel("lexical", by_row, floor=0.0, spread=found.spread(by_row, words.spread))
        beside = self._collaborating.channels(wanted.history_ids, found.rows.ids())
        if embedding is None:
            return finding.by_words(found, lexical, wanted, beside)
        return finding.by_meaning(
            found, lexical, embedding, self._statistics, wanted, beside=beside, naming=words.naming
        )

    def _best(
        self, embedding: NDArray[np.float32] | None, words: QueryVector, wanted: Wanted, depth: int
    ) -> tuple[list[Hits], dict[str, float]]:
        """Return the best of each channel with the user's history, and the scores of those found by words."""
        hits, scores = [], dict[str, float]()
        for where in dict.fromkeys(("", self._where(wanted.wish))):
            if embedding is not None:
                hits.append(self._search.dense(embedding, depth, where))
            if self._search.has_words:
                by_words = self._search.words(words.vector, depth, where)
                scores |= zip(by_words.ids, by_words.scores.tolist(), strict=True)
                hits.append(by_words)
        return [*hits, self._search.get(wanted.history_ids)], scores

    def _liked(self, history: Hits, where: str, depth: int, now: float) -> Iterator[Hits]:
        """Yield popular products, those near the history's taste, and new ones."""
        yield from self._popular(depth, where)
        if history.ids:
            yield self._search.dense(taste(history.embeddings), depth, where)
        yield self._search.some(all_of(where, fact("create_seconds", ">=", now - _FRESH_SECONDS)), depth)

    def _popular(self, limit: int, where: str) -> Iterator[Hits]:
        """Yield products of many reviews, then of fewer, until there are `limit` or no more."""
        least = self._statistics.most_reviewed(limit)
        while True:
            hits = self._search.some(all_of(where, fact("review_count", ">=", least)), limit)
            yield hits
            if len(hits.ids) >= limit or not least:
                return
            least //= _FEWER_REVIEWS

    def _found(self, hits: Sequence[Hits]) -> FoundRows:
        return FoundRows(hits, self.dimension, len(self), self._statistics.attributes)

    def _where(self, wish: Selection) -> str:
        return self._schema.expression(wish.filter, self._statistics.attributes)


def _narrowed(others: str, where: str, wish: Selection) -> Iterable[str]:
    """Return where to look: for facets also beside the filter, which may name their fields."""
    return dict.fromkeys((others, where)) if wish.facets else [where]


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except RecordError as error:
        logger.exception("milvus_search_failed")
        raise Unavailable(f"Milvus did not answer the search ({error}); try again") from error
