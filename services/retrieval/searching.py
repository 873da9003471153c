"""What the service asks of an index, whichever searches: this process (`index`) or Milvus (`milvus`)."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import ModelVersion
from aisle.catalog.v1.words_pb2 import Suggestion
from services.retrieval.answer import Retrieved
from services.retrieval.record import StoredGeneration
from services.retrieval.selection import EVERYTHING, Selection
from services.retrieval.words.spelling import Correction

W = TypeVar("W")


class Suggests(Protocol):
    """Completes what a user has begun to type."""

    def prepare(self) -> object:
        """Begin what the first suggestion needs, beside searches."""

    def refresh(self) -> None:
        """Follow what was written, beside searches."""

    def suggest(self, prefix: str, limit: int = ..., language: str = "") -> list[Suggestion]:
        """Return at most `limit` suggestions, best first; raises FailedPrecondition where there are none."""


class SearchIndex(Protocol[W]):
    """Products and their embeddings under one interface. Thread-safe; one thread may change it.

    `W` is what the index keeps of a query's words between `match_words` and `search`. Searches raise
    InvalidArgument when the wish names a field there is not, and Unavailable when what searches is gone.
    """

    @property
    def dimension(self) -> int:
        """Width of the embeddings."""

    @property
    def reads_record(self) -> bool:
        """Whether the record itself is searched, so that nothing has to be loaded from it."""

    @property
    def state(self) -> int | None:
        """A number that grows with every change, None where others may change what is searched."""

    @property
    def collaborative_version(self) -> ModelVersion | None:
        """The model behind the collaborative channel, None when there is none."""

    @property
    def suggester(self) -> Suggests:
        """Suggestions as one types."""

    def __len__(self) -> int:
        """Return the number of products; quick enough for the event loop."""

    def upsert(self, products: Sequence[Product], embeddings: NDArray[np.float32]) -> None:
        """Add or replace products that the record holds; embeddings: float32 [n, dimension]."""

    def delete(self, ids: Iterable[str]) -> int:
        """Delete products that were deleted from the record, and return how many were still here."""

    def get(self, ids: Iterable[str]) -> list[Product]:
        """Return the products with `ids` in the order asked, unknown ones left out."""

    def ids(self) -> list[str]:
        """Return the ids of all products."""

    def embeddings_of(self, products: Sequence[Product]) -> list[NDArray[np.float32] | None]:
        """Return the embedding held of each product, None where the text that is embedded is another."""

    def may_be_misspelt(self, query: str) -> bool:
        """Return whether `correct` is worth a call; quick enough for the event loop."""

    def correct(self, query: str) -> Correction | None:
        """Return how a misspelt query was probably meant, None when it is well spelt or past help."""

    def match_words(self, query: str) -> W:
        """Return what `search` needs of the words of `query`; it can run beside the encoder."""

    def search(
        self,
        query: str,
        embedding: NDArray[np.float32] | None,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        words: W | None = None,
        *,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the `limit` best products for `query` by words and, given its `embedding`, by meaning."""

    def similar_to(
        self,
        product_id: str,
        limit: int = 200,
        history_ids: Sequence[str] = (),
        *,
        wish: Selection = EVERYTHING,
    ) -> Retrieved:
        """Return the products nearest to one, without it. Raises KeyError when it is unknown."""

    def for_user(
        self, history_ids: Sequence[str], limit: int = 200, *, wish: Selection = EVERYTHING
    ) -> Retrieved:
        """Return products near the user's taste, what such users turned to next and popular ones, fused."""

    def close(self) -> None:
        """Stop what runs beside searches."""


class Indexes(Protocol):
    """Makes the index of every generation."""

    def begin(self, generation: StoredGeneration) -> SearchIndex[Any]:
        """Return the index of a generation, empty unless it `reads_record`; on the writing thread."""
