"""What ranking, filters and facets need to know of every product, kept as columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.product_pb2 import Availability, Product
from services.retrieval.values import ValuesColumn

MOST_LEVELS = 9
AVAILABILITIES = {
    Availability.AVAILABILITY_UNSPECIFIED: "in_stock",  # not told is treated as in stock
    Availability.AVAILABILITY_IN_STOCK: "in_stock",
    Availability.AVAILABILITY_OUT_OF_STOCK: "out_of_stock",
    Availability.AVAILABILITY_PREORDER: "preorder",
}

_FIRST_CAPACITY = 1024
_NUMBERS: Mapping[str, type[np.generic]] = {
    "price": np.float64,
    "rating": np.float32,
    "review_count": np.int32,
    "positive_review_share": np.float32,
    "create_seconds": np.int64,
    "available": np.bool_,
}


class ColumnStore:
    """The columns of rows 0 … n − 1. Not thread-safe: changes and reads must not overlap."""

    def __init__(self) -> None:
        # One array each: a filter reads one of them, a million values in .5 ms.
        self._numbers = {name: np.zeros(_FIRST_CAPACITY, kind) for name, kind in _NUMBERS.items()}
        self._brands = ValuesColumn()
        self._categories = ValuesColumn()
        self._attributes: dict[str, ValuesColumn] = {}
        self._levels: list[ValuesColumn] = []
        self._others = {name: ValuesColumn() for name in ("availability", "currency", "group")}

    def put(self, row: int, product: Product) -> None:
        """Store what `product` says at `row`."""
        for name, value in _numbers_of(product).items():
            column = self._numbers[name]
            if row >= column.size:
                column = self._numbers[name] = np.concatenate([column, np.zeros_like(column)])
            column[row] = value
        self._brands.put(row, (product.brand,))
        self._put_category(row, product.category_path)
        self._put_attributes(row, product)
        self._others["availability"].put(row, (AVAILABILITIES[product.availability],))
        self._others["currency"].put(row, (product.price.currency_code,))
        self._others["group"].put(row, (product.group_id,))

    def move(self, source: int, target: int) -> None:
        """Copy row `source` to row `target`."""
        for numbers in self._numbers.values():
            numbers[target] = numbers[source]
        for column in self._columns():
            column.move(source, target)

    def fill(self, columns: ProductColumns, rows: NDArray[np.intp]) -> None:
        """Write the columns of `rows`, all but the ids, into an empty message: a copy of it costs more."""
        numbers = self._numbers
        columns.prices.extend(numbers["price"][rows].tolist())
        columns.ratings.extend(numbers["rating"][rows].tolist())
        columns.review_counts.extend(numbers["review_count"][rows].tolist())
        columns.positive_review_shares.extend(numbers["positive_review_share"][rows].tolist())
        columns.create_seconds.extend(numbers["create_seconds"][rows].tolist())
        columns.available.extend(numbers["available"][rows].tolist())
        _fill(columns.brands, *self._brands.dictionary(rows))
        _fill(columns.categories, *self._categories.dictionary(rows))
        for key, column in self._attributes.items():
            texts, places = column.dictionary(rows)
            if texts:
                _fill(columns.attributes[key], texts, places)
        _fill(columns.currencies, *self._others["currency"].dictionary(rows))
        _fill(columns.groups, *self._others["group"].dictionary(rows))

    def numbers(self, rows: int) -> Mapping[str, NDArray[Any]]:
        """Return the numeric columns of rows 0 … `rows` − 1 by name: views [rows]."""
        return {name: column[:rows] for name, column in self._numbers.items()}

    def texts(self, name: str) -> ValuesColumn:
        """Return the column "brand", "category" (whole paths), "availability", "currency" or "group"."""
        named = {"brand": self._brands, "category": self._categories, **self._others}
        return named[name]

    @property
    def levels(self) -> Sequence[ValuesColumn]:
        """By level of the category tree from the root, at most nine: the paths cut there, "clothing/t-shirt".

        A product whose path is shorter has none.
        """
        return self._levels

    @property
    def attributes(self) -> dict[str, ValuesColumn]:
        """The column of every attribute key that any product ever had."""
        return self._attributes

    def _put_category(self, row: int, path: Sequence[str]) -> None:
        self._categories.put(row, ("/".join(path),))
        depth = min(len(path), MOST_LEVELS)
        self._levels += [ValuesColumn() for _ in range(depth - len(self._levels))]
        for level, column in enumerate(self._levels, start=1):
            column.put(row, ("/".join(path[:level]),) if level <= depth else ())

    def _put_attributes(self, row: int, product: Product) -> None:
        for key in product.attributes.keys() - self._attributes.keys():
            self._attributes[key] = ValuesColumn()
        held = {key: values.values for key, values in product.attributes.items()}
        for key, column in self._attributes.items():
            column.put(row, held.get(key, ()))

    def _columns(self) -> Iterator[ValuesColumn]:
        yield from (self._brands, self._categories)
        yield from self._levels
        yield from self._attributes.values()
        yield from self._others.values()


def _numbers_of(product: Product) -> dict[str, float]:
    return {
        "price": product.price.amount if product.HasField("price") else np.nan,
        "rating": product.rating if product.HasField("rating") else np.nan,
        "review_count": product.review_count,
        "positive_review_share": (
            product.positive_review_share if product.HasField("positive_review_share") else np.nan
        ),
        "create_seconds": product.create_time.seconds,
        "available": product.availability != Availability.AVAILABILITY_OUT_OF_STOCK,
    }


def _fill(column: DictionaryColumn, texts: list[str], places: list[int]) -> None:
    column.values.extend(texts)
    column.indices.extend(places)
