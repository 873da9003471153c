"""The catalogue in memory: the channels that find candidates in it, and how their scores are fused."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import fusion
from services.retrieval.answer import Channel, Retrieved, candidates
from services.retrieval.fusion import Rows, Scores
from services.retrieval.history import taste
from services.retrieval.locking import ReadWriteLock
from services.retrieval.popularity import popularity
from services.retrieval.rows import CatalogRows
from services.retrieval.text import lexical_terms
from services.retrieval.words.phrases import PhraseTable
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.spelling import Correction, Speller
from services.retrieval.words.suggesting import Suggester
from services.retrieval.words.vocabulary import Vocabulary

T = TypeVar("T")

__all__ = ["CatalogIndex", "LexicalMatch", "Retrieved"]


@dataclass(frozen=True)
class LexicalMatch:
    """A query's BM25 scores, float32 [n], and the state of the index they were computed on."""

    query: str
    scores: Scores
    state: int
    seconds: float


class CatalogIndex:
    """Products and their embeddings, searched exhaustively in memory. Thread-safe; one thread may change it.

    A change is visible to every search that starts after it returns, and to searches beside it product by
    product.
    """

    def __init__(
        self,
        dimension: int,
        lexical_weight: float = fusion.LEXICAL_WEIGHT,
        words: QueryWords | None = None,
    ) -> None:
        self.dimension = dimension
        self._lexical_weight = lexical_weight
        self._rows = CatalogRows(dimension)
        self.vocabulary = Vocabulary()
        self._speller = Speller(self.vocabulary, self._rows.lexical.documents)
        self._query_words = words or QueryWords()
        self._phrases = PhraseTable()
        self._lock = ReadWriteLock()
        self.suggester = Suggester(
            self._phrases, self._reading, self._rows.lexical.documents, self._query_words.past_queries
        )
        self._state = 0
        self._popular: tuple[int, Scores] = (-1, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    def upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        """Add or replace `products`; embeddings: float32 [n, dimension], L2-normalised rows.

        Raises ValueError on a wrong shape.
        """
        if embeddings.shape != (len(products), self.dimension):
            raise ValueError(
                f"embeddings must be [{len(products)}, {self.dimension}], got {list(embeddings.shape)}"
            )
        for product, embedding in zip(products, embeddings, strict=True):
            row = self._rows.row(product.id)
            replaced = None if row is None else self._rows.terms(row)
            terms = lexical_terms(product)
            with self._lock.write():
                self._rows.put(product, embedding, terms, replaced)
                self.vocabulary.put(product)
                self._phrases.put(product)
                self._state += 1

    def delete(self, ids: Iterable[str]) -> int:
        """Delete the products with `ids` and return how many there were."""
        return sum(self._delete(product_id) for product_id in ids)

    def get(self, ids: Iterable[str]) -> list[Product]:
        """Return the products with `ids` in the order asked, unknown ones left out."""
        with self._lock.read():
            packed = self._rows.packed(self._rows.known(ids))
        return [Product.FromString(each) for each in packed]

    def may_be_misspelt(self, query: str) -> bool:
        """Return whether `correct` is worth a call; takes no lock, and is quick enough for the event loop."""
        return self._speller.suspects(query)

    def correct(self, query: str) -> Correction | None:
        """Return how a misspelt query was probably meant, None when it is well spelt or past help."""
        with self._lock.read():
            return self._speller.correct(query)

    def match_words(self, query: str) -> LexicalMatch:
        """Return the lexical scores of `query`, to be handed to `search`; it can run beside the encoder."""
        with self._lock.read():
            return self._match_words(query)

    def search(
        self,
        query: str,
        embedding: NDArray[np.float32] | None,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        words: LexicalMatch | None = None,
        *,
        also: Sequence[str] = (),
    ) -> Retrieved:
        """Return the `limit` best products for `query` by words and, given its `embedding`, by meaning.

        embedding: float32 [dimension], L2-normalised. `words` is what `match_words` returned for the same
        query; it is computed anew when it is missing or older than the last change. With an embedding, the
        products `also` follow the best wherever they rank: a log teaches by what was shown.
        """
        with self._lock.read():
            if words is None or words.state != self._state or words.query != query:
                words = self._match_words(query)
            if embedding is None:
                return self._by_words(words, limit, history_ids)
            start = time.perf_counter()
            dense = self._rows.vectors.scores(embedding, len(self))
            dense_seconds = time.perf_counter() - start
            found = words.scores > 0
            found[fusion.best(dense, limit)] = True
            fused = fusion.fuse(dense, words.scores, self._lexical_weight)
            channels = [Channel("lexical", words.scores, floor=0.0), Channel("dense", dense)]
            rows = _joined(fusion.best(fused, limit), self._rows.known(also), fused)
            answer = self._answer(rows, fused, channels, history_ids, int(found.sum()))
            fuse_seconds = time.perf_counter() - start - dense_seconds
            seconds = {"lexical": words.seconds, "dense": dense_seconds, "fuse": fuse_seconds}
            return replace(answer, seconds=seconds)

    def similar_to(self, product_id: str, limit: int = 200, history_ids: Sequence[str] = ()) -> Retrieved:
        """Return the products nearest to one, without it. Raises KeyError when it is unknown."""
        with self._lock.read():
            row = self._rows.row(product_id)
            if row is None:
                raise KeyError(product_id)
            start = time.perf_counter()
            dense = self._rows.vectors.scores(self._rows.vectors.at(np.array([row]))[0], len(self))
            seconds = {"dense": time.perf_counter() - start}
            fused = fusion.standardise(dense)
            allowed = np.delete(np.arange(len(self)), row)
            rows = _best_of(allowed, fused, limit)
            answer = self._answer(rows, fused, [Channel("dense", dense)], history_ids, allowed.size)
            return replace(answer, seconds=seconds)

    def for_user(self, history_ids: Sequence[str], limit: int = 200) -> Retrieved:
        """Return products near the user's taste fused with popular ones, or without history the popular ones.

        The history's own products are left out, and those that cannot be bought.
        """
        with self._lock.read():
            history = self._rows.known(history_ids)
            allowed = self._buyable_but(history)
            popular = self._popularity()
            channels = [Channel("popular", popular, floor=0.0)]
            fused, seconds = fusion.standardise(popular), {}
            if history.size:
                start = time.perf_counter()
                dense = self._rows.vectors.scores(taste(self._rows.vectors.at(history)), len(self))
                seconds = {"dense": time.perf_counter() - start}
                channels.append(Channel("dense", dense))
                fused = fusion.fuse(dense, popular, fusion.POPULAR_WEIGHT)
            rows = _best_of(allowed, fused, limit)
            answer = self._answer(rows, fused, channels, history_ids, allowed.size)
            return replace(answer, seconds=seconds)

    def _reading(self, read: Callable[[], T]) -> T:
        with self._lock.read():
            return read()

    def _by_words(self, words: LexicalMatch, limit: int, history_ids: Sequence[str]) -> Retrieved:
        fused = fusion.standardise(words.scores)
        found = np.flatnonzero(words.scores > 0)
        channels = [Channel("lexical", words.scores, floor=0.0)]
        answer = self._answer(_best_of(found, fused, limit), fused, channels, history_ids, found.size)
        return replace(answer, seconds={"lexical": words.seconds})

    def _answer(
        self, rows: Rows, fused: Scores, channels: Sequence[Channel], history_ids: Sequence[str], matched: int
    ) -> Retrieved:
        history = self._rows.known(history_ids)
        found = candidates(self._rows, rows, fused, channels, history)
        return Retrieved(found, self._rows.take(history), matched)

    def _match_words(self, query: str) -> LexicalMatch:
        start = time.perf_counter()
        scores = self._rows.lexical.scores(self._query_words.synonyms.terms(query), len(self))
        return LexicalMatch(query, scores, self._state, time.perf_counter() - start)

    def _popularity(self) -> Scores:
        state, scores = self._popular
        if state != self._state:
            numbers = self._rows.columns.numbers(len(self))
            scores = popularity(numbers["rating"], numbers["review_count"])
            self._popular = (self._state, scores)
        return scores

    def _buyable_but(self, excluded: Rows) -> Rows:
        buyable = self._rows.columns.numbers(len(self))["available"].copy()
        buyable[excluded] = False
        return np.flatnonzero(buyable)

    def _delete(self, product_id: str) -> bool:
        row = self._rows.row(product_id)
        if row is None:
            return False
        terms, last_terms = self._rows.terms(row), self._rows.terms(len(self) - 1)
        with self._lock.write():
            self._rows.remove(row, terms, last_terms)
            self.vocabulary.remove(product_id)
            self._phrases.remove(product_id)
            self._state += 1
        return True


def _joined(rows: Rows, others: Rows, fused: Scores) -> Rows:
    """Return `rows` followed by those of `others` that are not among them, best first."""
    if not others.size:
        return rows
    missing = np.setdiff1d(others, rows)
    return np.concatenate([rows, missing[fusion.best(fused[missing], missing.size)]])


def _best_of(allowed: Rows, fused: Scores, limit: int) -> Rows:
    """Return the `limit` best of the `allowed` rows, best first."""
    return allowed[fusion.best(fused[allowed], limit)]
