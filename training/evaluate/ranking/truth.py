"""What a user would really do with any product of the demo shop, shown or not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.demo_shop import DemoShop, Query, User
from training.demo_shop.behaviour import (
    Appeal,
    attractiveness,
    cart_probability,
    purchase_probability,
)
from training.demo_shop.lexicon import lexicon
from training.demo_shop.truth import Grades

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Of n candidates, float64 [n] each, 0 to 1: relevance, P(click | seen) and P(purchase | click)."""

    grades: Floats
    clicks: Floats
    purchases: Floats


class Judge:
    """Knows the hidden tastes of the demo shop's users."""

    def __init__(self, shop: DemoShop) -> None:
        self._grades, self._appeal = Grades(shop.products), Appeal(lexicon(), shop.products)
        self._row = {product.id: row for row, product in enumerate(shop.products)}
        self._categories = ["/".join(product.category_path) for product in shop.products]

    def of_query(self, query: Query, user: User, ids: Sequence[str]) -> Truth:
        """Return the truth about candidates for a query."""
        rows = self._rows(ids)
        return self._truth(self._grades.of(query)[rows].astype(np.float64), user, rows)

    def of_home(self, user: User, ids: Sequence[str]) -> Truth:
        """Return the truth about recommendations.

        A product counts as relevant as its category's share of the user's interests; the largest share is 1.
        """
        rows, most = self._rows(ids), max(user.interests.values(), default=1.0)
        interest = [user.interests.get(self._categories[row], 0.0) / most for row in rows]
        return self._truth(np.array(interest), user, rows)

    def _rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        return np.array([self._row[each] for each in ids], dtype=np.intp)

    def _truth(self, relevance: Floats, user: User, rows: NDArray[np.intp]) -> Truth:
        taste = self._appeal.taste(user, rows)
        return Truth(
            grades=relevance,
            clicks=attractiveness(self._appeal, rows, relevance, taste),
            purchases=cart_probability(self._appeal, rows, relevance, taste)
            * purchase_probability(self._appeal, rows, taste),
        )
