"""A filter as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from services.retrieval.filters.lexing import quoted

Comparator = Literal["=", "!=", "<", "<=", ">", ">=", ":"]


@dataclass(frozen=True)
class Value:
    """What a field is compared with; only a bare word can be `*`, any value at all."""

    text: str
    is_string: bool = False
    position: int = field(default=0, compare=False)

    @property
    def is_any(self) -> bool:
        """Whether it asks for the presence of a value."""
        return self.text == "*" and not self.is_string


@dataclass(frozen=True)
class Restriction:
    """`path comparator value`; the path of an attribute is ("attributes", key)."""

    path: tuple[str, ...]
    comparator: Comparator
    value: Value
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """What its operand is not."""

    operand: "Filter"


@dataclass(frozen=True)
class And:
    """What all operands are, two or more, none of them an And itself."""

    operands: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """What any operand is, two or more, none of them an Or itself."""

    operands: tuple["Filter", ...]


Filter = Restriction | Not | And | Or


def all_of(operands: list[Filter]) -> Filter:
    """Return the conjunction of one or more filters, conjunctions among them taken apart."""
    flat = [each for operand in operands for each in conjuncts(operand)]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(operands: list[Filter]) -> Filter:
    """Return the disjunction of one or more filters, disjunctions among them taken apart."""
    flat = [e for operand in operands for e in (operand.operands if isinstance(operand, Or) else [operand])]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def conjuncts(tree: Filter) -> tuple[Filter, ...]:
    """Return the conditions that a product must all meet."""
    return tree.operands if isinstance(tree, And) else (tree,)


def restrictions(tree: Filter) -> Iterator[Restriction]:
    """Yield the restrictions of a tree from left to right."""
    if isinstance(tree, Restriction):
        yield tree
    elif isinstance(tree, Not):
        yield from restrictions(tree.operand)
    else:
        for operand in tree.operands:
            yield from restrictions(operand)


def write(tree: Filter) -> str:
    """Return a filter that is parsed to `tree`."""
    if isinstance(tree, Restriction):
        value = quoted(tree.value.text) if tree.value.is_string else tree.value.text
        return f"{_path(tree.path)}{_spaced(tree.comparator)}{value}"
    if isinstance(tree, Not):
        written = _operand(tree.operand)
        return f"NOT ({written})" if isinstance(tree.operand, Not) else f"NOT {written}"
    operator = " AND " if isinstance(tree, And) else " OR "
    return operator.join(_operand(each) for each in tree.operands)


def _operand(tree: Filter) -> str:
    return f"({write(tree)})" if isinstance(tree, And | Or) else write(tree)


def _spaced(comparator: Comparator) -> str:
    return comparator if comparator == ":" else f" {comparator} "


def _path(path: tuple[str, ...]) -> str:
    return ".".join([path[0], *map(quoted, path[1:])])
