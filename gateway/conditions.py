"""From what a query demands to conditions of a filter, in the terms of the products that were found."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Constraint
from gateway.columns import TextColumn, any_of, column_of, text_columns
from runtime.money import Rates
from runtime.units import in_base_unit

MEASURES = ("length", "weight", "volume", "memory", "charge", "power", "voltage")
_NOT_EQUAL = messages.CONSTRAINT_OPERATOR_NOT_EQUAL
_BOUNDS = {
    messages.CONSTRAINT_OPERATOR_LESS: "<",
    messages.CONSTRAINT_OPERATOR_LESS_EQUAL: "<=",
    messages.CONSTRAINT_OPERATOR_GREATER: ">",
    messages.CONSTRAINT_OPERATOR_GREATER_EQUAL: ">=",
    messages.CONSTRAINT_OPERATOR_EQUAL: "=",
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_MEASURE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z.]+|[\u3400-\u9fff]+|\")")


class Incomparable(Exception):
    """The products found say nothing of what is demanded; the message says what is missing."""


@dataclass(frozen=True)
class Condition:
    """A condition of a filter, the fields it names, and for each product found whether it meets it."""

    filter: str
    fields: tuple[str, ...]
    met: Sequence[bool]


def condition_of(constraint: Constraint, products: ProductColumns, rates: Rates) -> Condition:
    """Return the condition that a constraint puts on products; raises Incomparable where there is none.

    A value is only asked for where some product found has it: shops write values in their own ways, and a
    filter by a word that none of them uses would exclude everything.
    """
    if constraint.key == "price":
        return _price(constraint, products, rates)
    if constraint.key in MEASURES:
        return _measure(constraint, products)
    if constraint.operator == _NOT_EQUAL:
        return _unwanted(constraint, products)
    column = column_of(products, constraint.key)
    return _of_values(column, constraint.value, [column] if column else [])


def _of_values(column: TextColumn | None, value: str, columns: Sequence[TextColumn]) -> Condition:
    for each in columns:
        if values := each.holding(lambda held: held.casefold() == value.casefold()):
            return Condition(any_of(each.field, values), (each.field,), each.rows(values))
    where = f"for {column.field}" if column else "for any field"
    raise Incomparable(f"no product found has {value!r} {where}")


def _unwanted(constraint: Constraint, products: ProductColumns) -> Condition:
    """Return the exclusion of a value; a word of no attribute is looked for in every one."""
    column = column_of(products, constraint.key) if constraint.key else None
    columns = [column] if column else [] if constraint.key else text_columns(products)
    wanted = _of_values(column, constraint.value, columns)
    return Condition(f"NOT {wanted.filter}", wanted.fields, [not met for met in wanted.met])


def _measure(constraint: Constraint, products: ProductColumns) -> Condition:
    """Return the values of an attribute that say such a measure, however each is written."""
    told = False
    for column in text_columns(products):
        measures = {value: _measured(value, constraint.unit) for value in column.column.values}
        told |= any(number is not None for number in measures.values())
        values = [v for v, number in measures.items() if number is not None and _holds(constraint, number)]
        if values:
            return Condition(any_of(column.field, values), (column.field,), column.rows(values))
    what = f"such a {constraint.key}" if told else f"its {constraint.key} in an attribute"
    raise Incomparable(f"no product found has {what}")


def _measured(value: str, unit: str) -> float | None:
    found = _MEASURE.fullmatch(value.strip().lower())
    read = in_base_unit(float(found["number"]), found["unit"]) if found else None
    return read[0] if read and read[1] == unit else None


def _holds(constraint: Constraint, number: float) -> bool:
    if constraint.operator == messages.CONSTRAINT_OPERATOR_RANGE:
        return constraint.number <= number <= constraint.upper
    return _COMPARE[_BOUNDS[constraint.operator]](number, constraint.number)


def _price(constraint: Constraint, products: ProductColumns, rates: Rates) -> Condition:
    """Return the bounds in each currency that the products found are priced in."""
    if not constraint.HasField("number"):
        raise Incomparable("no price is known that it could be relative to")
    if all(map(math.isnan, products.prices)):
        raise Incomparable("no product found has a price")
    if not constraint.unit:
        met = [_holds(constraint, price) for price in products.prices]
        return Condition(_bounds(constraint, 1.0), ("price",), met)
    factors = {code: rates.factor(constraint.unit, code) for code in products.currencies.values}
    known = {code: factor for code, factor in factors.items() if factor is not None}
    if not known:
        raise Incomparable(
            f"no product found is priced in {constraint.unit}, and no exchange rate to "
            f"{', '.join(factors) or 'their currency'} is given (--rates)"
        )
    parts = [
        f'{_bounds(constraint, factor)} AND currency = "{code}"' for code, factor in sorted(known.items())
    ]
    written = parts[0] if len(parts) == 1 else f"({' OR '.join(f'({part})' for part in parts)})"
    return Condition(written, ("price", "currency"), _met(constraint, products, known))


def _met(constraint: Constraint, products: ProductColumns, factors: dict[str, float]) -> list[bool]:
    codes = _values(products.currencies, len(products.prices))
    return [
        code in factors and _holds(constraint, price / factors[code])
        for price, code in zip(products.prices, codes, strict=True)
    ]


def _values(column: DictionaryColumn, n: int) -> list[str]:
    indices = column.indices or [-1] * n
    return [column.values[index] if index >= 0 else "" for index in indices]


def _bounds(constraint: Constraint, factor: float) -> str:
    if constraint.operator == messages.CONSTRAINT_OPERATOR_RANGE:
        low, high = constraint.number * factor, constraint.upper * factor
        return f"price >= {_number(low)} AND price <= {_number(high)}"
    return f"price {_BOUNDS[constraint.operator]} {_number(constraint.number * factor)}"


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
