"""The products of the catalogue by row, with everything the channels keep of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.collaborative_rows import CollaborativeRows
from services.retrieval.columns import ColumnStore
from services.retrieval.fusion import Rows
from services.retrieval.lexical import LexicalIndex, Places
from services.retrieval.text import lexical_fields, passage, terms_of
from services.retrieval.vectors import EXACT_ROWS, VectorIndex


@dataclass(frozen=True)
class Change:
    """A product to be put in place of the one `held`, None for a new one.

    `terms` it will have, `replaced` those it has, both None when they are alike. `renamed`: whether what it
    is called, or how many rate it, is new: what spelling and suggestions read.
    """

    product: Product
    packed: bytes
    held: Product | None
    replaced: list[str] | None
    terms: list[str] | None
    renamed: bool


@dataclass(frozen=True)
class Removal:
    """A row to be removed, with its product and terms, and where the postings name it and the last row, which
    moves."""

    row: int
    product: Product
    terms: list[str]
    places: Places
    moved: Places


class CatalogRows:
    """Products in rows 0 … n − 1 without gaps: the last one moves into a deleted one's row.

    Not thread-safe: changes and reads must not overlap.
    """

    def __init__(self, dimension: int, exact_rows: int = EXACT_ROWS) -> None:
        self.vectors = VectorIndex(dimension, exact_rows=exact_rows)
        self.lexical = LexicalIndex()
        self.columns = ColumnStore()
        self.collaborative: CollaborativeRows | None = None
        self._ids: list[str] = []
        self._products: list[bytes] = []
        self._row_of: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"collaborative": None}

    def __len__(self) -> int:
        return len(self._ids)

    def follow(self, collaborative: CollaborativeRows | None) -> None:
        """Tell a collaborative model, from now on, which row holds each product."""
        self.collaborative = collaborative
        for product_id, row in self._row_of.items():
            self._locate(product_id, row)

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

    def fill(self, columns: ProductColumns, rows: Rows) -> None:
        """Write the columns of `rows` into an empty message."""
        if rows.size:
            columns.ids.extend(map(self._ids.__getitem__, rows.tolist()))
            self.columns.fill(columns, rows)

    def embedding_of(self, product: Product) -> NDArray[np.float32] | None:
        """Return the stored embedding of a product whose passage is that of `product`, None without one."""
        row = self._row_of.get(product.id)
        if row is None or passage(Product.FromString(self._products[row])) != passage(product):
            return None
        embedding: NDArray[np.float32] = self.vectors.at(np.array([row]))[0]
        return embedding

    def change(self, product: Product) -> Change:
        """Return what putting `product` will change; the one thread that writes may ask beside searches."""
        row = self._row_of.get(product.id)
        fields = lexical_fields(product)
        if row is None:
            return Change(product, product.SerializeToString(), None, None, terms_of(fields), renamed=True)
        held = Product.FromString(self._products[row])
        old = lexical_fields(held)
        replaced, terms = (None, None) if old == fields else (terms_of(old), terms_of(fields))
        renamed = _naming(held) != _naming(product)
        return Change(product, product.SerializeToString(), held, replaced, terms, renamed)

    def put(self, change: Change, embedding: NDArray[np.float32]) -> None:
        """Store a product under its id with its embedding, float32 [dimension]."""
        product = change.product
        row = self._row_of.setdefault(product.id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(product.id)
            self._products.append(b"")
            self._locate(product.id, row)
        self._products[row] = change.packed
        self.vectors.put(row, embedding)
        self.columns.put(row, product)
        if change.terms is not None:
            if change.replaced is None:
                self.lexical.put(row, change.terms)
            else:
                self.lexical.replace(row, change.replaced, change.terms)

    def removal(self, row: int) -> Removal:
        """Return what removing `row` will change; the one thread that writes may ask beside searches."""
        product, last = Product.FromString(self._products[row]), len(self._ids) - 1
        terms = terms_of(lexical_fields(product))
        moved = {} if row == last else self.lexical.places(last, self._terms(last))
        return Removal(row, product, terms, self.lexical.places(row, terms), moved)

    def remove(self, removal: Removal) -> None:
        """Remove a product; the last row's product takes its row."""
        row, last = removal.row, len(self._ids) - 1
        del self._row_of[self._ids[row]]
        self._locate(self._ids[row], None)
        self.lexical.remove_moving(row, removal.terms, removal.places, last, removal.moved)
        self.vectors.remove(row)
        if row != last:
            self.columns.move(last, row)
            self._products[row] = self._products[last]
            self._ids[row] = self._ids[last]
            self._row_of[self._ids[row]] = row
            self._locate(self._ids[row], row)
        self._ids.pop()
        self._products.pop()

    def _locate(self, product_id: str, row: int | None) -> None:
        if self.collaborative is not None:
            self.collaborative.put(product_id, row)

    def _terms(self, row: int) -> list[str]:
        return terms_of(lexical_fields(Product.FromString(self._products[row])))


def _naming(product: Product) -> tuple[object, ...]:
    attributes = {key: list(texts.values) for key, texts in product.attributes.items()}
    return dict(product.title), product.brand, list(product.category_path), attributes, product.review_count
