"""A filter as a Milvus expression over the field `facts`; it lets through what `filters.evaluation` does."""

import json
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from services.retrieval.filters.evaluation import ATTRIBUTES, NUMBERS, TEXTS
from services.retrieval.filters.literals import instant, number
from services.retrieval.filters.syntax import And, Comparator, Filter, Not, Restriction
from services.retrieval.folding import fold
from services.retrieval.milvus.facts import attribute

_EVERY = 'facts["review_count"] >= 0.0'
_NONE = 'facts["review_count"] < 0.0'
_OPERATORS: dict[Comparator, str] = {":": "==", "=": "=="}
_LARGEST = float(np.finfo(np.float32).max)

BUYABLE = 'facts["availability"] != "out_of_stock"'


def expression(tree: Filter) -> str:
    """Return the expression of a filter that `conditions_of` has checked. Raises FilterError as that does."""
    if isinstance(tree, Restriction):
        return f"({_restriction(tree)})"
    if isinstance(tree, Not):
        return f"(not {expression(tree.operand)})"
    operator = " and " if isinstance(tree, And) else " or "
    return f"({operator.join(expression(each) for each in tree.operands)})"


def all_of(*parts: str) -> str:
    """Return the expression that all of `parts` are, empty ones left out; "" when all are empty."""
    return " and ".join(each for each in parts if each)


def but(ids: Sequence[str]) -> str:
    """Return the expression of all products other than those with `ids`, one or more."""
    return f"id not in {_keys(ids)}"


def only(ids: Sequence[str]) -> str:
    """Return the expression of the products with `ids`, one or more."""
    return f"id in {_keys(ids)}"


def fact(name: str, operator: str, value: float) -> str:
    """Return the expression that compares a number."""
    return f'facts["{name}"] {operator} {float(value)!r}'


def _restriction(asked: Restriction) -> str:
    name = asked.path[0]
    if name == ATTRIBUTES:
        return _attribute(asked, asked.path[1])
    if name in NUMBERS:
        return _number(asked, name)
    if name == "create_time":
        return _time(asked)
    if name == "id":
        return _id(asked)
    if name == "category" and asked.comparator == ":" and not asked.value.is_any:
        return _holds("categories", fold(asked.value.text.strip("/")))
    assert name in TEXTS, name
    return _text(asked, name)


def _text(asked: Restriction, name: str) -> str:
    known, wanted = f'facts["{name}"] != ""', fold(asked.value.text)
    if asked.value.is_any:
        return known
    if asked.comparator == "!=":
        return f'{known} and facts["{name}"] != {_literal(wanted)}'
    return f'facts["{name}"] == {_literal(wanted)}' if wanted else _NONE


def _attribute(asked: Restriction, key: str) -> str:
    known = _holds("attributes", attribute(key))
    if asked.value.is_any:
        return known
    held = _holds("attributes", attribute(key, asked.value.text))
    return f"{known} and not ({held})" if asked.comparator == "!=" else held


def _number(asked: Restriction, name: str) -> str:
    known = fact(name, ">=", 0)
    if asked.value.is_any:
        return known
    value = number(name, asked.value)
    if name == "rating":  # it is a float32 in the product
        value = float(np.float32(np.clip(value, -_LARGEST, _LARGEST)))
    return f"{known} and {fact(name, _OPERATORS.get(asked.comparator, asked.comparator), value)}"


def _time(asked: Restriction) -> str:
    known, name = fact("create_seconds", "!=", 0), "create_seconds"
    if asked.value.is_any:
        return known
    start, end = instant("create_time", asked.value)
    compared: dict[Comparator, str] = {
        "!=": f"({fact(name, '<', start)} or {fact(name, '>=', end)})",
        "<": fact(name, "<", start),
        "<=": fact(name, "<", end),
        ">": fact(name, ">=", end),
        ">=": fact(name, ">=", start),
    }
    inside = f"{fact(name, '>=', start)} and {fact(name, '<', end)}"
    return f"{known} and {compared.get(asked.comparator, inside)}"


def _id(asked: Restriction) -> str:
    if asked.value.is_any:
        return _EVERY
    return but([asked.value.text]) if asked.comparator == "!=" else only([asked.value.text])


def _holds(name: str, text: str) -> str:
    return f'json_contains(facts["{name}"], {_literal(text)})' if text else _NONE


def _keys(ids: Sequence[str]) -> str:
    return json.dumps([quote(each, safe="") for each in ids])


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
