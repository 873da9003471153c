"""The catalogue in memory, searched and changed by many threads at once."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import ModelVersion
from services.retrieval.answer import Retrieved
from services.retrieval.asking import Ask, LexicalMatch
from services.retrieval.collaborative import CollaborativeModel, Vectors
from services.retrieval.collaborative_rows import CollaborativeRows
from services.retrieval.finding import Finder
from services.retrieval.fusion import Scores, Spread
from services.retrieval.latest import LatestWords
from services.retrieval.locking import ReadWriteLock
from services.retrieval.popularity import popularity
from services.retrieval.recommendation import fresh_channel
from services.retrieval.rows import CatalogRows
from services.retrieval.scoring import SERVED, Weights
from services.retrieval.selection import EVERYTHING, Selection
from services.retrieval.values import Mask
from services.retrieval.vectors import EXACT_ROWS, VectorIndex
from services.retrieval.weighting import emphasis, naming_share
from services.retrieval.words.matching import word_scores
from services.retrieval.words.phrase_table import PhraseTable, said
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.spelling import Correction, Speller
from services.retrieval.words.suggesting import Suggester
from services.retrieval.words.vocabulary import Vocabulary

T = TypeVar("T")

__all__ = ["CatalogIndex", "LexicalMatch", "Retrieved"]


@dataclass(frozen=True)
class Held:
    """What an index holds of the catalogue, and a snapshot of it keeps."""

    rows: CatalogRows
    vocabulary: Vocabulary
    phrases: PhraseTable


class CatalogIndex:
    """Products and their embeddings, searched in memory. Thread-safe; one thread may change it.

    A change is visible to every search that starts after it returns, and to searches beside it product by
    product. Up to `exact_rows` products all are scored by every channel. Beyond, the best of each channel are
    scored by all of them, and feedback moves these alone. Scores are standardised over the whole catalogue
    either way.

    Of every search: only rows of `allowed`, bool [n], are answered with, and of those only what `wish` lets
    through; scores stay those of the whole catalogue, so that a filter changes no product's. A search raises
    ValueError on another shape, and InvalidArgument when the wish names a field there is not.
    """

    def __init__(
        self,
        dimension: int,
        weights: Weights = SERVED,
        exact_rows: int = EXACT_ROWS,
        *,
        collaborative: CollaborativeModel | None = None,
        words: QueryWords | None = None,
        held: Held | None = None,
    ) -> None:
        """Index what is `held`, of embeddings of the same width; nothing yet when that is None."""
        self.dimension = dimension
        self._collaborative = collaborative
        self._lock = ReadWriteLock()
        self.held = held or Held(CatalogRows(dimension, exact_rows), Vocabulary(), PhraseTable())
        self._rows = self.held.rows
        self._rows.vectors.share(self._lock)
        self._rows.follow(CollaborativeRows(collaborative) if collaborative else None)
        self._finder = Finder(self._rows, weights)
        self._query_words = words or QueryWords()
        self.vocabulary = self.held.vocabulary
        self._speller = Speller(self.vocabulary, self._rows.lexical)
        self._phrases = self.held.phrases
        self.suggester = Suggester(
            self._phrases, self._reading, self._rows.lexical.documents, self._query_words.past_queries
        )
        self.state = 0
        self._popular: tuple[int, Scores] = (-1, np.zeros(0, np.float32))
        self._latest = LatestWords()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def reads_record(self) -> bool:
        """No: what the record holds is loaded here."""
        return False

    @property
    def collaborative_version(self) -> ModelVersion | None:
        """The model behind the collaborative channel, None when there is none."""
        return self._collaborative.version if self._collaborative else None

    @property
    def vectors(self) -> VectorIndex:
        """The embeddings of the rows, to be measured by themselves."""
        return self._rows.vectors

    @property
    def building(self) -> bool:
        """Whether a graph is being built beside searches."""
        return self._rows.vectors.building

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
            new = said(product) if change.renamed else None
            old = said(change.held) if change.renamed and change.held is not None else None
            with self._lock.write():
                self._rows.put(change, embedding)
                if new is not None:
                    self.vocabulary.put(product, change.held)
                    self._phrases.put(new, old)
                self.state += 1

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
        self.suggester.close()

    def may_be_misspelt(self, query: str) -> bool:
        """Return whether `correct` is worth a call; takes no lock, and is quick enough for the event loop."""
        return self._speller.suspects(query)

    def correct(self, query: str) -> Correction | None:
        """Return how a misspelt query was probably meant, None when it is well spelt or past help."""
        with self._lock.read():
            return self._speller.correct(query)

    def ids(self) -> list[str]:
        """Return the ids of all products."""
        with self._lock.read():
            return self._rows.ids()

    def match_words(self, query: str) -> LexicalMatch:
        """Return the lexical scores of `query`, to be handed to `search`; it can run beside the encoder."""
        with self._lock.read():
            return self._matched(query)

    def search(
        self,
        query: str,
        embedding: NDArray[np.float32] | None,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        words: LexicalMatch | None = None,
        *,
        also: Sequence[str] = (),
        allowed: Mask | None = None,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the `limit` best products for `query` by words and, given its `embedding`, by meaning.

        embedding: float32 [dimension], L2-normalised. `words` is what `match_words` returned for the same
        query; it is computed anew when it is missing or older than the last change. With an embedding, the
        products `also` follow the best wherever they rank: a log teaches by what was shown. What the
        collaborative model says of the user's history is a channel beside, and not part of the fused score.
        """
        user = self._user_vector(history_ids)
        with self._lock.read():
            ask = self._ask(limit, history_ids, allowed, wish, user)
            if words is None or words.state != self._rows.lexical.state or words.query != query:
                words = self._matched(query)
            if embedding is None:
                return self._finder.by_words(words, ask)
            return self._finder.by_meaning(words, embedding, ask, also)

    def similar_to(
        self,
        product_id: str,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        *,
        allowed: Mask | None = None,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the products nearest to one, without it. Raises KeyError when it is unknown."""
        with self._lock.read():
            ask = self._ask(limit, history_ids, allowed, wish)
            row = self._rows.row(product_id)
            if row is None:
                raise KeyError(product_id)
            return self._finder.similar_to(row, ask)

    def for_user(
        self,
        history_ids: Sequence[str],
        limit: int = 200,
        *,
        allowed: Mask | None = None,
        wish: Selection = EVERYTHING,
        now: float | None = None,
    ) -> Retrieved:
        """Return products near the user's taste, what such users turned to next and popular ones, fused.

        Without history the popular ones. Some are new (`now`: seconds since 1970, the clock's by default).
        The history's own products are left out, and those that cannot be bought.
        """
        user = self._user_vector(history_ids)
        with self._lock.read():
            ask = self._ask(limit, history_ids, allowed, wish, user)
            created = self._rows.columns.numbers(len(self))["create_seconds"]
            fresh = fresh_channel(created, time.time() if now is None else now)
            return self._finder.for_user(self._popularity(), fresh, ask)

    def _reading(self, read: Callable[[], T]) -> T:
        with self._lock.read():
            return read()

    def _matched(self, query: str) -> LexicalMatch:
        return self._latest.matched(query, self._rows.lexical.state, self._match_words)

    def _match_words(self, query: str) -> LexicalMatch:
        start = time.perf_counter()
        lexical = self._rows.lexical
        reading = self._query_words.reading(query)
        scores = word_scores(reading, lexical, self._query_words.synonyms, len(self))
        spread = Spread.of(scores)
        strength = emphasis(spread.deviation, naming_share(reading.terms, lexical.documents, len(self)))
        seconds = time.perf_counter() - start
        return LexicalMatch(query, scores, spread, strength, lexical.state, seconds)

    def _popularity(self) -> Scores:
        state, scores = self._popular
        if state != self.state:
            numbers = self._rows.columns.numbers(len(self))
            scores = popularity(numbers["rating"], numbers["review_count"])
            self._popular = (self.state, scores)
        return scores

    def _user_vector(self, history_ids: Sequence[str]) -> Vectors | None:
        """Run the collaborative model, before the lock is taken: a change need not wait for it."""
        return self._collaborative.user_vector(history_ids) if self._collaborative else None

    def _ask(
        self,
        limit: int,
        history_ids: Sequence[str],
        allowed: Mask | None,
        wish: Selection,
        user: Vectors | None = None,
    ) -> Ask:
        if allowed is not None and allowed.shape != (len(self),):
            raise ValueError(f"allowed must be [{len(self)}], got {list(allowed.shape)}")
        known = self._rows.collaborative
        collaborative = known.scores(user, len(self)) if user is not None and known is not None else None
        return Ask(limit, history_ids, allowed, wish, collaborative)

    def _delete(self, product_id: str) -> bool:
        row = self._rows.row(product_id)
        if row is None:
            return False
        removal = self._rows.removal(row)
        old = said(removal.product)
        with self._lock.write():
            self._rows.remove(removal)
            self.vocabulary.remove(removal.product)
            self._phrases.remove(old)
            self.state += 1
        return True
