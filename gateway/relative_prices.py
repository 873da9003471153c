"""What "cheaper" and "dearer" are measured by: the prices of what the user turned to, or else was shown."""

import math
import statistics
from collections.abc import Iterable, Iterator

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.intent.v1.intent_pb2 import Constraint, Understanding
from aisle.retrieval.v1.retrieval_pb2 import RetrieveResponse

_SHOWN = 10  # the best matches stand for what the page before showed
_SURE = 0.5


def resolved(understanding: Understanding, found: RetrieveResponse) -> list[Constraint]:
    """Return the constraints, relative prices with the number they are relative to.

    It is the median price of the products in the user's history that are of the query's category, or else of
    the ten best matches. Where no price is known a relative one stays without a number.
    """
    constraints = list(understanding.constraints)
    if not any(map(_is_relative, constraints)):
        return constraints
    reference = _reference(understanding, found)
    if reference is None:
        return constraints
    return [_with_number(each, *reference) if _is_relative(each) else each for each in constraints]


def _is_relative(constraint: Constraint) -> bool:
    return constraint.key == "price" and not constraint.HasField("number")


def _with_number(constraint: Constraint, number: float, currency: str) -> Constraint:
    copy = Constraint()
    copy.CopyFrom(constraint)
    copy.number, copy.unit = number, currency
    return copy


def _reference(understanding: Understanding, found: RetrieveResponse) -> tuple[float, str] | None:
    category = _category(understanding)
    of_history = _prices(found.history, _rows_of(found.history, category)) if category else []
    shown = found.candidates.products
    prices = of_history or _prices(shown, range(min(_SHOWN, len(shown.ids))))
    if not prices:
        return None
    currency = prices[0][1]
    return statistics.median(price for price, code in prices if code == currency), currency


def _category(understanding: Understanding) -> str:
    likeliest = understanding.categories[:1]
    return likeliest[0].label if likeliest and likeliest[0].probability >= _SURE else ""


def _rows_of(products: ProductColumns, category: str) -> Iterator[int]:
    held = products.categories
    return (row for row, index in enumerate(held.indices) if index >= 0 and held.values[index] == category)


def _prices(products: ProductColumns, rows: Iterable[int]) -> list[tuple[float, str]]:
    codes = products.currencies
    told = [(products.prices[row], codes.indices[row] if codes.indices else -1) for row in rows]
    return [(price, codes.values[code] if code >= 0 else "") for price, code in told if not math.isnan(price)]
