"""What ranking needs to know of every product, kept as columns."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.product_pb2 import Availability, Product

_FIRST_CAPACITY = 1024
_NUMBERS = np.dtype(
    [
        ("price", np.float32),
        ("rating", np.float32),
        ("review_count", np.int32),
        ("positive_review_share", np.float32),
        ("create_seconds", np.int64),
        ("available", np.bool_),
    ]
)


class StringColumn:
    """One string per row, each distinct one kept once; −1 stands for none."""

    def __init__(self) -> None:
        self._values: list[str] = []
        self._codes: dict[str, int] = {}
        self._rows = np.full(_FIRST_CAPACITY, -1, np.int32)

    def put(self, row: int, value: str) -> None:
        """Store `value` at `row`; an empty one is none."""
        if row >= self._rows.size:
            grown = np.full(max(row + 1, 2 * self._rows.size), -1, np.int32)
            grown[: self._rows.size] = self._rows
            self._rows = grown
        self._rows[row] = self._code(value) if value else -1

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        self.put(target, self._value(source))

    def take(self, rows: NDArray[np.intp]) -> DictionaryColumn:
        """Return the strings of `rows`."""
        inside = rows < self._rows.size
        codes = np.where(inside, self._rows[np.where(inside, rows, 0)], -1)
        distinct, indices = np.unique(codes, return_inverse=True)
        absent = int(distinct.size > 0 and distinct[0] < 0)
        values = [self._values[code] for code in distinct[absent:]]
        return DictionaryColumn(values=values, indices=(indices - absent).tolist())

    def _value(self, row: int) -> str:
        code = self._rows[row] if row < self._rows.size else -1
        return self._values[code] if code >= 0 else ""

    def _code(self, value: str) -> int:
        code = self._codes.setdefault(value, len(self._values))
        if code == len(self._values):
            self._values.append(value)
        return code


class ColumnStore:
    """The columns of rows 0 … n − 1. Not thread-safe: changes and reads must not overlap."""

    def __init__(self) -> None:
        self._numbers = np.zeros(_FIRST_CAPACITY, _NUMBERS)
        self._brands = StringColumn()
        self._categories = StringColumn()
        self._attributes: dict[str, StringColumn] = {}

    def put(self, row: int, product: Product) -> None:
        """Store what `product` says at `row`."""
        if row >= self._numbers.size:
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._numbers[row] = (
            product.price.amount if product.HasField("price") else np.nan,
            product.rating if product.HasField("rating") else np.nan,
            product.review_count,
            product.positive_review_share if product.HasField("positive_review_share") else np.nan,
            product.create_time.seconds,
            product.availability != Availability.AVAILABILITY_OUT_OF_STOCK,
        )
        self._brands.put(row, product.brand)
        self._categories.put(row, "/".join(product.category_path))
        self._put_attributes(row, product)

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        self._numbers[target] = self._numbers[source]
        for column in self._strings():
            column.move(source, target)

    def take(self, ids: list[str], rows: NDArray[np.intp]) -> ProductColumns:
        """Return the columns of `rows`, whose product ids are `ids`."""
        numbers = self._numbers[rows]
        attributes = {key: column.take(rows) for key, column in self._attributes.items()}
        return ProductColumns(
            ids=ids,
            prices=numbers["price"].tolist(),
            ratings=numbers["rating"].tolist(),
            review_counts=numbers["review_count"].tolist(),
            positive_review_shares=numbers["positive_review_share"].tolist(),
            create_seconds=numbers["create_seconds"].tolist(),
            available=numbers["available"].tolist(),
            brands=self._brands.take(rows),
            categories=self._categories.take(rows),
            attributes={key: column for key, column in attributes.items() if column.values},
        )

    def numbers(self, rows: int) -> NDArray[np.void]:
        """Return the numeric columns of rows 0 … `rows` − 1 as one structured array [rows]."""
        return self._numbers[:rows]

    def _put_attributes(self, row: int, product: Product) -> None:
        first = {key: held.values[0] for key, held in product.attributes.items() if held.values}
        for key in first.keys() - self._attributes.keys():
            self._attributes[key] = StringColumn()
        for key, column in self._attributes.items():
            column.put(row, first.get(key, ""))

    def _strings(self) -> Iterable[StringColumn]:
        return (self._brands, self._categories, *self._attributes.values())
