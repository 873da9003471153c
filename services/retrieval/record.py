"""The durable record of the catalogue, whichever engine keeps it: products with their embeddings.

Each generation holds every product, embedded into one space; one of them is active, the others are being
built or kept to go back to. Searches never come here, except where Milvus itself searches (`milvus`).

RecordError              the record cannot be read or written now; nothing says that it is damaged
 └─ RecordUnreachable    the server that keeps it does not answer
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product

Embeddings = NDArray[np.float32]


class RecordError(Exception):
    """The record cannot be read or written; the message says why."""


class RecordUnreachable(RecordError):
    """The server that keeps the record does not answer."""


@dataclass(frozen=True)
class StoredGeneration:
    """A generation in the record: its name there, its embedding space and the width of its embeddings."""

    name: str
    embedding_space: str
    dimension: int


class CatalogRecord(Protocol):
    """Products and embeddings that outlive the process. Not thread-safe: one thread uses it.

    What `upsert`, `delete`, `activate` and `drop` return from survives a kill of the process. Every method
    raises RecordError when the record cannot be used.
    """

    def generations(self) -> list[StoredGeneration]:
        """Return all generations, the active one first."""

    def active(self) -> StoredGeneration | None:
        """Return the active generation, None in a record that has just been begun."""

    def create(self, embedding_space: str, dimension: int) -> StoredGeneration:
        """Return the generation of an embedding space, an empty one when there is none yet."""

    def activate(self, generation: StoredGeneration) -> None:
        """Make a generation the active one; whoever looks sees the old one or this one."""

    def drop(self, generation: StoredGeneration) -> None:
        """Delete a generation with all it holds. Raises ValueError when it is the active one."""

    def rows(self, generation: StoredGeneration) -> Iterator[tuple[list[Product], Embeddings]]:
        """Yield all products with their embeddings, float32 [n, dimension], a few thousand at a time."""

    def get(self, generation: StoredGeneration, ids: Sequence[str]) -> tuple[list[Product], Embeddings]:
        """Return the products with `ids` and their embeddings, float32 [n, dimension]; unknown left out."""

    def count(self, generation: StoredGeneration) -> int:
        """Return the number of products."""

    def mark(self, generation: StoredGeneration, token: str) -> None:
        """Write a token beside a generation, in the place of the one before."""

    def marked(self, generation: StoredGeneration) -> str:
        """Return the token that `mark` wrote last, empty without one."""

    def upsert(
        self, generation: StoredGeneration, products: Sequence[Product], embeddings: Embeddings
    ) -> None:
        """Write products with their embeddings, float32 [n, dimension].

        Raises ValueError on embeddings of a wrong shape or not finite, and on a product too large to store.
        """

    def delete(self, generation: StoredGeneration, ids: Sequence[str]) -> None:
        """Delete the products with `ids`; unknown ids are no error."""

    def close(self) -> None:
        """Flush what is not on disk and let go of the record."""


def checked(embeddings: Embeddings, count: int, dimension: int) -> Embeddings:
    """Return `embeddings` if they are finite and [count, dimension], else raise ValueError."""
    if embeddings.shape != (count, dimension):
        raise ValueError(f"embeddings must be [{count}, {dimension}], got {list(embeddings.shape)}")
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings must be finite")
    return embeddings
