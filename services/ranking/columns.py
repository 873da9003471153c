"""Columns of the wire as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """A column of strings: `values` are the distinct ones, case-folded.

    `rows`: int64 [n], position in `values` of each row, −1 where the row has none.
    """

    values: list[str]
    rows: Ints

    def lookup(self, weights: Mapping[str, float]) -> Floats:
        """Return each row's weight, float64 [n]: 0 for a value not in `weights` and for no value."""
        table = [weights.get(value, 0.0) for value in self.values]
        table.append(0.0)  # row −1 reads the last entry
        return np.array(table, dtype=np.float64)[self.rows]

    @property
    def known(self) -> Bools:
        """Whether each row has a value, bool [n]."""
        return self.rows >= 0


@dataclass(frozen=True)
class Products:
    """n products as arrays; NaN where a number is unknown.

    Numbers are float64 [n], `available` is bool [n]; `created` is in seconds since the Unix epoch.
    """

    ids: list[str]
    prices: Floats
    ratings: Floats
    review_counts: Floats
    positive_shares: Floats
    created: Floats
    available: Bools
    brands: Words
    categories: Words
    attributes: dict[str, Words]
    currencies: Words
    groups: Words


def read_products(columns: ProductColumns) -> Products:
    """Return columns of equal lengths as arrays."""
    n = len(columns.ids)
    created = np.array(columns.create_seconds, dtype=np.float64)
    return Products(
        ids=list(columns.ids),
        prices=np.array(columns.prices, dtype=np.float64),
        ratings=np.array(columns.ratings, dtype=np.float64),
        review_counts=np.array(columns.review_counts, dtype=np.float64),
        positive_shares=np.array(columns.positive_review_shares, dtype=np.float64),
        created=np.where(created > 0, created, np.nan),
        available=np.array(columns.available, dtype=np.bool_),
        brands=read_words(columns.brands, n),
        categories=read_words(columns.categories, n),
        attributes={key: read_words(column, n) for key, column in columns.attributes.items()},
        currencies=read_words(columns.currencies, n),
        groups=read_words(columns.groups, n),
    )


def read_words(column: DictionaryColumn, n: int) -> Words:
    """Return a column of strings; an absent column means that no row has a value."""
    if not column.indices:
        return Words([], np.full(n, -1, dtype=np.int64))
    values = [value.casefold() for value in column.values]
    return Words(values, np.array(column.indices, dtype=np.int64))
