"""Which rows of the catalogue a filter lets through.

Text is compared without regard to case and width, ids exactly. A product of which a field is unknown meets no
comparison of that field, neither `=` nor `!=`; `NOT` turns whatever stands behind it round, so that
`NOT brand = A` holds for unknown brands too. A field of several values meets `=` when any of them does, and
`!=` when it has some and none of them is it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.retrieval.columns import AVAILABILITIES
from services.retrieval.filters.literals import choice, instant, number
from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import And, Comparator, Filter, Not, Restriction, restrictions
from services.retrieval.rows import CatalogRows
from services.retrieval.values import Mask, ValuesColumn

TEXTS = ("brand", "category", "availability", "currency", "group")
NUMBERS = ("price", "rating", "review_count")
ATTRIBUTES = "attributes"

_AVAILABILITIES = tuple(dict.fromkeys(AVAILABILITIES.values()))
_MOST_KEYS_TOLD = 50
_COMPARE: dict[Comparator, Callable[[NDArray[np.generic], np.generic], Mask]] = {
    "=": np.equal,
    ":": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def evaluate(tree: Filter, catalog: CatalogRows) -> Mask:
    """Return which rows meet the filter: bool [n].

    Raises FilterError on a field there is not, and on a value of another type than its field's.
    """
    if isinstance(tree, Restriction):
        return _restriction(tree, catalog)
    if isinstance(tree, Not):
        inverse: Mask = ~evaluate(tree.operand, catalog)
        return inverse
    masks = [evaluate(operand, catalog) for operand in tree.operands]
    together: Mask = np.logical_and.reduce(masks) if isinstance(tree, And) else np.logical_or.reduce(masks)
    return together


def field_of(tree: Filter) -> str:
    """Return the one field that a filter is about, "" when it is about several."""
    fields = {".".join(each.path) for each in restrictions(tree)}
    return fields.pop() if len(fields) == 1 else ""


def known_fields(catalog: CatalogRows) -> str:
    """Return the fields there are, as words for an error message."""
    keys = sorted(catalog.columns.attributes)
    told = [f"{ATTRIBUTES}.{key}" for key in keys[:_MOST_KEYS_TOLD]]
    more = [f"and {len(keys) - len(told)} more attributes"] if len(keys) > len(told) else []
    return ", ".join([*TEXTS, *NUMBERS, "create_time", "id", *told, *more])


def _restriction(asked: Restriction, catalog: CatalogRows) -> Mask:
    name, n = ".".join(asked.path), len(catalog)
    if asked.path[0] == ATTRIBUTES and len(asked.path) == 2:
        return _texts(asked, name, _attribute(asked, catalog), n)
    if name in NUMBERS:
        return _number(asked, name, catalog)
    if name == "create_time":
        return _time(asked, catalog)
    if name == "id":
        return _id(asked, catalog)
    if name == "category" and asked.comparator == ":" and not asked.value.is_any:
        return _branch(asked, catalog)
    if name not in TEXTS:
        raise _unknown(asked, catalog)
    if name == "availability" and not asked.value.is_any:
        choice(name, asked.value, _AVAILABILITIES)
    return _texts(asked, name, catalog.columns.texts(name), n)


def _texts(asked: Restriction, name: str, column: ValuesColumn, n: int) -> Mask:
    if _asks_presence(asked, name):
        return column.present(n)
    _require(asked, name, "a text", ("=", "!=", ":"))
    found = column.holding(asked.value.text, n)
    return column.present(n) & ~found if asked.comparator == "!=" else found


def _branch(asked: Restriction, catalog: CatalogRows) -> Mask:
    """Return which products stand at or below a category."""
    n = len(catalog)
    path = asked.value.text.strip("/")
    masks = [
        column.holding(path, n) for column in (*catalog.columns.levels, catalog.columns.texts("category"))
    ]
    below: Mask = np.logical_or.reduce(masks)
    return below


def _number(asked: Restriction, name: str, catalog: CatalogRows) -> Mask:
    held = catalog.columns.numbers(len(catalog))[name]
    known: Mask = np.isfinite(held) if held.dtype.kind == "f" else np.ones(held.size, np.bool_)
    if _asks_presence(asked, name):
        return known
    value = number(name, asked.value)
    with np.errstate(over="ignore"):  # beyond the column's range it is infinite, and compares as it should
        typed = held.dtype.type(value) if held.dtype.kind == "f" else np.float64(value)
    return known & _COMPARE[asked.comparator](held, typed)


def _time(asked: Restriction, catalog: CatalogRows) -> Mask:
    held = catalog.columns.numbers(len(catalog))["create_seconds"]
    known: Mask = held != 0
    if _asks_presence(asked, "create_time"):
        return known
    start, end = instant("create_time", asked.value)
    inside = (held >= start) & (held < end)
    compared: dict[Comparator, Mask] = {
        "=": inside,
        ":": inside,
        "!=": ~inside,
        "<": held < start,
        "<=": held < end,
        ">": held >= end,
        ">=": held >= start,
    }
    return known & compared[asked.comparator]


def _id(asked: Restriction, catalog: CatalogRows) -> Mask:
    mask = np.zeros(len(catalog), np.bool_)
    if _asks_presence(asked, "id"):
        return ~mask
    _require(asked, "id", "a text", ("=", "!=", ":"))
    mask[catalog.known([asked.value.text])] = True
    return ~mask if asked.comparator == "!=" else mask


def _attribute(asked: Restriction, catalog: CatalogRows) -> ValuesColumn:
    column = catalog.columns.attributes.get(asked.path[1])
    if column is None and len(catalog):
        raise _unknown(asked, catalog)
    return column or ValuesColumn()  # an empty catalogue does not know the shop's keys yet


def _asks_presence(asked: Restriction, name: str) -> bool:
    if asked.value.is_any:
        _require(asked, name, "compared with * (any value)", (":",))
    return asked.value.is_any


def _require(asked: Restriction, name: str, kind: str, comparators: tuple[Comparator, ...]) -> None:
    if asked.comparator not in comparators:
        raise FilterError(
            asked.position, f"{name} is {kind}: expected {' or '.join(comparators)}, found {asked.comparator}"
        )


def _unknown(asked: Restriction, catalog: CatalogRows) -> FilterError:
    name = ".".join(asked.path)
    return FilterError(
        asked.position, f"there is no field {name[:60]!r}; expected one of {known_fields(catalog)}"
    )
