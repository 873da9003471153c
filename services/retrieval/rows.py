"""The products of the catalogue by row, with everything the channels keep of each."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.columns import ColumnStore
from services.retrieval.fusion import Rows
from services.retrieval.lexical import LexicalIndex
from services.retrieval.text import lexical_terms
from services.retrieval.vectors import VectorIndex


class CatalogRows:
    """Products in rows 0 … n − 1 without gaps: the last one moves into a deleted one's row.

    Not thread-safe: changes and reads must not overlap.
    """

    def __init__(self, dimension: int) -> None:
        self.vectors = VectorIndex(dimension)
        self.lexical = LexicalIndex()
        self.columns = ColumnStore()
        self._ids: list[str] = []
        self._products: list[bytes] = []
        self._row_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def row(self, product_id: str) -> int | None:
        """Return the row of a product, None when there is no such product."""
        return self._row_of.get(product_id)

    def ids(self) -> list[str]:
        """Return the ids of all products in the order of their rows."""
        return list(self._ids)

    def known(self, ids: Iterable[str]) -> Rows:
        """Return the rows of `ids` in their order, unknown ones left out."""
        return np.array([self._row_of[each] for each in ids if each in self._row_of], np.intp)

    def packed(self, rows: Rows) -> list[bytes]:
        """Return the serialised products of `rows`."""
        return [self._products[row] for row in rows.tolist()]

    def take(self, rows: Rows) -> ProductColumns:
        """Return the columns of `rows`."""
        return self.columns.take([self._ids[row] for row in rows.tolist()], rows)

    def terms(self, row: int) -> list[str]:
        """Return the lexical terms of the product at `row`."""
        return lexical_terms(Product.FromString(self._products[row]))

    def put(
        self, product: Product, embedding: NDArray[np.float32], terms: list[str], replaced: list[str] | None
    ) -> None:
        """Store a product under its id; `replaced` are the terms of the one it replaces, if it does."""
        row = self._row_of.setdefault(product.id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(product.id)
            self._products.append(b"")
        self._products[row] = product.SerializeToString()
        self.vectors.put(row, embedding)
        self.columns.put(row, product)
        if replaced != terms:
            if replaced is not None:
                self.lexical.remove(row, replaced)
            self.lexical.put(row, terms)

    def remove(self, row: int, terms: list[str], last_terms: list[str]) -> None:
        """Remove the product at `row` with `terms`; `last_terms` are those of the last row's product."""
        last = len(self._ids) - 1
        del self._row_of[self._ids[row]]
        self.lexical.remove(row, terms)
        if row != last:
            self.lexical.remove(last, last_terms)
            self.lexical.put(row, last_terms)
            self.vectors.put(row, self.vectors.at(np.array([last]))[0])
            self.columns.move(last, row)
            self._products[row] = self._products[last]
            self._ids[row] = self._ids[last]
            self._row_of[self._ids[row]] = row
        self._ids.pop()
        self._products.pop()
