"""How alike two candidates are, by what they have in common."""

import numpy as np

from services.ranking.arrangement.policy import Diversity
from services.ranking.columns import Floats, Ints, Products, Words

_SUM = 0.95  # what is left tells apart products that have everything in common


class Likeness:
    """A positive semidefinite likeness of n candidates, 0 to 1, 1 on its diagonal.

    It is the sum over fields of weight · [same value], a sum of block matrices of ones; what the weights
    leave to 1 stands on the diagonal. An unknown value is like no other.
    """

    def __init__(self, products: Products, diversity: Diversity) -> None:
        columns: list[tuple[float, Ints]] = [
            (diversity.category, products.categories.rows),
            (diversity.root, _roots(products.categories)),
            (diversity.brand, products.brands.rows),
        ]
        if "color" in products.attributes:
            columns.append((diversity.color, products.attributes["color"].rows))
        total = sum(weight for weight, _ in columns)
        scale = min(1.0, _SUM / total) if total else 0.0
        self._columns = [(weight * scale, rows) for weight, rows in columns if weight]
        self._n = len(products.ids)

    def of(self, row: int) -> Floats:
        """Return the likeness of every candidate to one, float64 [n]."""
        alike = np.zeros(self._n)
        for weight, rows in self._columns:
            if rows[row] >= 0:
                alike += weight * (rows == rows[row])
        alike[row] = 1.0
        return alike


def _roots(categories: Words) -> Ints:
    distinct: dict[str, int] = {}
    codes = [distinct.setdefault(value.partition("/")[0], len(distinct)) for value in categories.values]
    table = np.array([*codes, -1], dtype=np.int64)
    return table[categories.rows]
