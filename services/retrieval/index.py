"""The catalogue in memory: the channels that find candidates in it, and how their scores are fused."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import fusion
from services.retrieval.analyser import analyse
from services.retrieval.answer import Channel, Pool, Retrieved
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.history import taste
from services.retrieval.locking import ReadWriteLock
from services.retrieval.popularity import popularity
from services.retrieval.rows import CatalogRows
from services.retrieval.vectors import EXACT_ROWS, VectorIndex

__all__ = ["CatalogIndex", "LexicalMatch", "Retrieved"]


@dataclass(frozen=True)
class LexicalMatch:
    """A query's BM25 scores, float32 [n], their spread, and the state of the index they were computed on."""

    query: str
    scores: Scores
    spread: Spread
    state: int
    seconds: float


Allowed = NDArray[np.bool_]

# Each channel gives this many times the limit: at twice, .99 of the best 200 of 100,000 products are those
# that fusing the scores of all of them gives.
_DEPTH = 2
_NO_ROWS: Rows = np.zeros(0, np.intp)


class CatalogIndex:
    """Products and their embeddings, searched in memory. Thread-safe; one thread may change it.

    A change is visible to every search that starts after it returns, and to searches beside it product by
    product. Up to `exact_rows` products all are scored by every channel. Beyond, the best of each channel are
    scored by all of them; scores are standardised over the whole catalogue either way.

    A search's `allowed`, bool [n], names the rows that may be found; it raises ValueError on another shape.
    """

    def __init__(
        self, dimension: int, lexical_weight: float = fusion.LEXICAL_WEIGHT, exact_rows: int = EXACT_ROWS
    ) -> None:
        self.dimension = dimension
        self._lexical_weight = lexical_weight
        self._lock = ReadWriteLock()
        self._rows = CatalogRows(dimension, self._lock, exact_rows)
        self._state = 0
        self._popular: tuple[int, Scores] = (-1, np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def vectors(self) -> VectorIndex:
        """The embeddings of the rows, to be measured by themselves."""
        return self._rows.vectors

    def upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        """Add or replace `products`; embeddings: float32 [n, dimension], L2-normalised rows.

        Raises ValueError on a wrong shape.
        """
        if embeddings.shape != (len(products), self.dimension):
            raise ValueError(
                f"embeddings must be [{len(products)}, {self.dimension}], got {list(embeddings.shape)}"
            )
        for product, embedding in zip(products, embeddings, strict=True):
            change = self._rows.change(product)
            with self._lock.write():
                self._rows.put(change, embedding)
                self._state += 1

    def delete(self, ids: Iterable[str]) -> int:
        """Delete the products with `ids` and return how many there were."""
        return sum(self._delete(product_id) for product_id in ids)

    def get(self, ids: Iterable[str]) -> list[Product]:
        """Return the products with `ids` in the order asked, unknown ones left out."""
        with self._lock.read():
            packed = self._rows.packed(self._rows.known(ids))
        return [Product.FromString(each) for each in packed]

    def embeddings_of(self, products: Sequence[Product]) -> list[NDArray[np.float32] | None]:
        """Return the embedding held of each product, None where the text that is embedded is another."""
        with self._lock.read():
            return [self._rows.embedding_of(product) for product in products]

    def settle(self) -> None:
        """Wait until no graph is being built: after a bulk load, searches are then at their quickest."""
        self._rows.vectors.settle()

    def close(self) -> None:
        """Stop what runs beside searches."""
        self._rows.vectors.close()

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
        allowed: Allowed | None = None,
    ) -> Retrieved:
        """Return the `limit` best products for `query` by words and, given its `embedding`, by meaning.

        embedding: float32 [dimension], L2-normalised. `words` is what `match_words` returned for the same
        query; it is computed anew when it is missing or older than the last change. With an embedding, the
        products `also` follow the best wherever they rank: a log teaches by what was shown.
        """
        with self._lock.read():
            self._check(allowed)
            if words is None or words.state != self._state or words.query != query:
                words = self._match_words(query)
            matching = words.scores if allowed is None else np.where(allowed, words.scores, 0)
            if embedding is None:
                return self._by_words(words, matching, limit, history_ids)
            start = time.perf_counter()
            shown = self._rows.known(also)
            rows = self._pooled(embedding, limit, [matching], allowed, shown)
            dense, spread = self._dense(embedding, rows)
            dense_seconds = time.perf_counter() - start
            lexical = words.scores[rows]
            fused = fusion.fuse(dense, lexical, self._lexical_weight, (spread, words.spread))
            pool = Pool(rows, fused, [Channel("lexical", lexical, floor=0.0), Channel("dense", dense)])
            mine = np.arange(rows.size) if allowed is None else np.flatnonzero(allowed[rows])
            places = _joined(_best_of(mine, fused, limit), np.searchsorted(rows, shown), fused)
            nearest = _best_of(mine, dense, limit)
            matched = int(np.count_nonzero(matching)) + int(np.count_nonzero(lexical[nearest] <= 0))
            answer = self._answer(pool, places, history_ids, matched)
            fuse_seconds = time.perf_counter() - start - dense_seconds
            seconds = {"lexical": words.seconds, "dense": dense_seconds, "fuse": fuse_seconds}
            return replace(answer, seconds=seconds)

    def similar_to(
        self,
        product_id: str,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        *,
        allowed: Allowed | None = None,
    ) -> Retrieved:
        """Return the products nearest to one, without it. Raises KeyError when it is unknown."""
        with self._lock.read():
            self._check(allowed)
            row = self._rows.row(product_id)
            if row is None:
                raise KeyError(product_id)
            start = time.perf_counter()
            embedding = self._rows.vectors.at(np.array([row]))[0]
            rows = self._pooled(embedding, limit + 1, [], allowed)
            dense, spread = self._dense(embedding, rows)
            seconds = {"dense": time.perf_counter() - start}
            others = np.flatnonzero(rows != row)
            fused = fusion.standardise(dense, spread)
            pool = Pool(rows, fused, [Channel("dense", dense)])
            matched = len(self) if allowed is None else int(np.count_nonzero(allowed))
            matched -= int(allowed is None or bool(allowed[row]))
            answer = self._answer(pool, _best_of(others, fused, limit), history_ids, matched)
            return replace(answer, seconds=seconds)

    def for_user(
        self, history_ids: Sequence[str], limit: int = 200, *, allowed: Allowed | None = None
    ) -> Retrieved:
        """Return products near the user's taste fused with popular ones, or without history the popular ones.

        The history's own products are left out, and those that cannot be bought.
        """
        with self._lock.read():
            self._check(allowed)
            history = self._rows.known(history_ids)
            buyable = self._buyable_but(history, allowed)
            popular = self._popularity()
            popular_spread = Spread.of(popular)
            if not history.size:
                rows = np.flatnonzero(buyable)
                fused, channels, seconds = fusion.standardise(popular[rows], popular_spread), [], {}
            else:
                start = time.perf_counter()
                embedding = taste(self._rows.vectors.at(history))
                rows = self._pooled(embedding, limit, [np.where(buyable, popular, 0)], buyable)
                dense, spread = self._dense(embedding, rows)
                seconds = {"dense": time.perf_counter() - start}
                channels = [Channel("dense", dense)]
                spreads = (spread, popular_spread)
                fused = fusion.fuse(dense, popular[rows], fusion.POPULAR_WEIGHT, spreads)
            pool = Pool(rows, fused, [Channel("popular", popular[rows], floor=0.0), *channels])
            places = fusion.best(fused, limit)
            answer = self._answer(pool, places, history_ids, int(np.count_nonzero(buyable)))
            return replace(answer, seconds=seconds)

    def _pooled(
        self,
        embedding: NDArray[np.float32],
        limit: int,
        others: Sequence[Scores],
        allowed: Allowed | None,
        also: Rows = _NO_ROWS,
    ) -> Rows:
        """Return in ascending order the rows to be scored: the best of each channel, or all when few."""
        rows = self._rows.vectors.nearest(embedding, _DEPTH * limit, allowed)
        complete = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if rows.size < complete:
            for scores in others:
                best = fusion.best(scores, _DEPTH * limit)
                rows = _united(rows, best[scores[best] > 0])
        return _united(rows, also) if also.size else rows

    def _dense(self, embedding: NDArray[np.float32], rows: Rows) -> tuple[Scores, Spread]:
        """Return the exact scores of `rows` and the spread of all rows'."""
        scores = self._rows.vectors.scores(embedding, rows)
        complete = rows.size == len(self)
        return scores, Spread.of(scores) if complete else self._rows.vectors.spread(embedding)

    def _by_words(
        self, words: LexicalMatch, matching: Scores, limit: int, history_ids: Sequence[str]
    ) -> Retrieved:
        rows = np.flatnonzero(matching > 0)
        lexical = matching[rows]
        fused = fusion.standardise(lexical, words.spread)
        pool = Pool(rows, fused, [Channel("lexical", lexical, floor=0.0)])
        answer = self._answer(pool, fusion.best(fused, limit), history_ids, rows.size)
        return replace(answer, seconds={"lexical": words.seconds})

    def _answer(self, pool: Pool, places: Rows, history_ids: Sequence[str], matched: int) -> Retrieved:
        history = self._rows.known(history_ids)
        found = pool.candidates(self._rows, places, history)
        return Retrieved(found, self._rows.take(history), matched)

    def _match_words(self, query: str) -> LexicalMatch:
        start = time.perf_counter()
        scores = self._rows.lexical.scores(analyse(query), len(self))
        return LexicalMatch(query, scores, Spread.of(scores), self._state, time.perf_counter() - start)

    def _popularity(self) -> Scores:
        state, scores = self._popular
        if state != self._state:
            numbers = self._rows.columns.numbers(len(self))
            scores = popularity(numbers["rating"], numbers["review_count"])
            self._popular = (self._state, scores)
        return scores

    def _buyable_but(self, excluded: Rows, allowed: Allowed | None) -> Allowed:
        buyable: Allowed = self._rows.columns.numbers(len(self))["available"].copy()
        if allowed is not None:
            buyable &= allowed
        buyable[excluded] = False
        return buyable

    def _check(self, allowed: Allowed | None) -> None:
        if allowed is not None and allowed.shape != (len(self),):
            raise ValueError(f"allowed must be [{len(self)}], got {list(allowed.shape)}")

    def _delete(self, product_id: str) -> bool:
        row = self._rows.row(product_id)
        if row is None:
            return False
        removal = self._rows.removal(row)
        with self._lock.write():
            self._rows.remove(removal)
            self._state += 1
        return True


def _united(rows: Rows, others: Rows) -> Rows:
    """Return the rows of both in ascending order: ten times as fast as NumPy's hashing `union1d`."""
    both = np.sort(np.concatenate([rows, others]))
    return both[np.diff(both, prepend=-1) > 0]


def _joined(places: Rows, others: Rows, fused: Scores) -> Rows:
    """Return `places` followed by those of `others` that are not among them, best first."""
    missing = np.setdiff1d(others, places)
    return np.concatenate([places, missing[fusion.best(fused[missing], missing.size)]])


def _best_of(places: Rows, scores: Scores, limit: int) -> Rows:
    """Return the `limit` best of the `places`, best first."""
    return places[fusion.best(scores[places], limit)]
