"""The truth about relevance: how well a product fulfils a query.

1.0   the type asked for, with every value and inside the price bounds
≥ .15 the type asked for, rising to .70 with the share of the wishes it fulfils
.1    another type that is easily taken for it (the same family)
0     anything else, and everything for queries that look for no product
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from runtime.money import Rates
from training.demo_shop.lexicon import lexicon
from training.demo_shop.schema import SLOT_KEYS, Query, QueryPrice

_WORTH = json.loads(Path(__file__).with_name("rates.json").read_text(encoding="utf-8"))
CNY_PER: dict[str, float] = {**_WORTH, "": 1.0}  # the shop's fixed rates, so that "under $50" has one meaning
RATES = Rates(_WORTH)
EXACT, FAMILY = 1.0, 0.1
_TYPE, _WISHES = 0.15, 0.55
_SEARCHES = ("browse", "purchase", "review")


def relevance(query: Query, product: Product) -> float:
    """Grade one product for one query, 0 to 1."""
    return float(Grades([product]).of(query)[0])


class Grades:
    """Grades many products at once; a product's first value of an attribute counts."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._types = lexicon().types
        self._categories = _Column("/".join(product.category_path) for product in products)
        self._families = _Column(self._family("/".join(product.category_path)) for product in products)
        self._values = {key: _Column(_first_value(product, key) for product in products) for key in SLOT_KEYS}
        self._prices = np.array([_price(product) for product in products])

    def of(self, query: Query) -> NDArray[np.float32]:
        """Return the grade of every product, float32 [n], for `query`."""
        if query.intent not in _SEARCHES or not query.category:
            return np.zeros(len(self._prices), dtype=np.float32)
        same_type = self._categories.equals(query.category)
        same_family = self._families.equals(self._family(query.category))
        fulfilled, wishes = np.zeros(len(self._prices)), 0
        for slot in query.slots:
            fulfilled += self._values[slot.key].equals(slot.value) != slot.negated
            wishes += 1
        if query.price is not None:
            fulfilled += self._inside(query.price)
            wishes += 1
        partial = _TYPE + _WISHES * fulfilled / max(1, wishes)
        grades = np.where(fulfilled == wishes, EXACT, partial)
        return np.where(same_type, grades, np.where(same_family, FAMILY, 0.0)).astype(np.float32)

    def _family(self, category: str) -> str:
        kind = self._types.get(category)
        return kind.family if kind else category

    def _inside(self, price: QueryPrice) -> NDArray[np.bool_]:
        rate = CNY_PER[price.currency]
        low = -np.inf if price.minimum is None else price.minimum * rate
        high = np.inf if price.maximum is None else price.maximum * rate
        return (self._prices >= low) & (self._prices <= high)


class _Column:
    """A column of strings as numbers, so that comparing all rows is cheap."""

    def __init__(self, values: Iterable[str]) -> None:
        self._numbers: dict[str, int] = {}
        self._rows = np.array([self._numbers.setdefault(value, len(self._numbers)) for value in values])

    def equals(self, value: str) -> NDArray[np.bool_]:
        return np.asarray(self._rows == self._numbers.get(value, -1))


def _first_value(product: Product, key: str) -> str:
    if key == "brand":
        return product.brand
    values = product.attributes[key].values if key in product.attributes else ()
    return values[0] if values else ""


def _price(product: Product) -> float:
    return product.price.amount if product.HasField("price") else float("nan")
