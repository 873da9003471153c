"""How many of sixty hand-written queries are read with exactly the conditions they name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Constraint, Understanding

Understand = Callable[[Sequence[str]], Sequence[Understanding]]

_SIGNS = {
    messages.CONSTRAINT_OPERATOR_EQUAL: "=",
    messages.CONSTRAINT_OPERATOR_NOT_EQUAL: "!=",
    messages.CONSTRAINT_OPERATOR_LESS: "<",
    messages.CONSTRAINT_OPERATOR_LESS_EQUAL: "<=",
    messages.CONSTRAINT_OPERATOR_GREATER: ">",
    messages.CONSTRAINT_OPERATOR_GREATER_EQUAL: ">=",
}
# Wanted values of other keys are judged on the demo shop's queries, where the truth about each is known.
_WANTED_KEYS = (
    "price", "brand", "size", "model", "volume", "weight", "length", "memory", "charge", "power", "voltage",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A hand-written query, the conditions it names, and those that were read."""

    language: str
    query: str
    expected: frozenset[str]
    read: frozenset[str]

    @property
    def exact(self) -> bool:
        """Whether they are the same."""
        return self.expected == self.read


@cache
def queries() -> dict[str, dict[str, list[str]]]:
    """Return by language ("zh", "en") and query the conditions it names, as `written` writes them."""
    text = resources.files(__package__).joinpath("queries.yaml").read_text(encoding="utf-8")
    held: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    return held


def written(constraint: Constraint) -> str:
    """Return a constraint as the file of queries writes it: "price <= 100 CNY", "* != hood"."""
    key, unit = constraint.key or "*", f" {constraint.unit}" if constraint.unit else ""
    if constraint.operator == messages.CONSTRAINT_OPERATOR_RANGE:
        return f"{key} {constraint.number:g}..{constraint.upper:g}{unit}"
    compared = f"{constraint.number:g}" if constraint.HasField("number") else constraint.value
    return f"{key} {_SIGNS[constraint.operator]} {compared}{unit}"


def readings(understand: Understand) -> list[Reading]:
    """Read all sixty queries; wanted values of attributes other than brand and size are left out."""
    asked = [
        (language, query, frozenset(expected))
        for language, each in queries().items()
        for query, expected in each.items()
    ]
    read = understand([query for _, query, _ in asked])
    return [
        Reading(language, query, expected, _judged(understanding))
        for (language, query, expected), understanding in zip(asked, read, strict=True)
    ]


def constraint_figures(understand: Understand) -> dict[str, float]:
    """Return how many queries are read exactly: of all 60, and of the 30 of each language."""
    read = readings(understand)
    figures = {
        f"handwritten_{language}/constraints/exact": float(
            sum(each.exact for each in read if each.language == language)
        )
        for language in queries()
    }
    return figures | {"handwritten/constraints/exact": float(sum(each.exact for each in read))}


def _judged(understanding: Understanding) -> frozenset[str]:
    return frozenset(
        written(each)
        for each in understanding.constraints
        if each.key in _WANTED_KEYS or each.operator == messages.CONSTRAINT_OPERATOR_NOT_EQUAL
    )
