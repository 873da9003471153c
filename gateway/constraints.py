"""What becomes of the conditions that a query names: which narrow the answer, and why the others do not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.gateway.v1 import gateway_pb2 as messages
from aisle.gateway.v1.gateway_pb2 import ConstraintReport, Narrowing
from aisle.intent.v1 import intent_pb2 as intents
from aisle.intent.v1.intent_pb2 import Constraint
from gateway.conditions import MEASURES, Condition, Incomparable, condition_of
from runtime.money import Rates

APPLIED = messages.CONSTRAINT_FATE_APPLIED
RELAXED = messages.CONSTRAINT_FATE_RELAXED
NO_TIME = messages.CONSTRAINT_FATE_NO_TIME
INCOMPARABLE = messages.CONSTRAINT_FATE_INCOMPARABLE
_EQUAL = intents.CONSTRAINT_OPERATOR_EQUAL
_NOT_EQUAL = intents.CONSTRAINT_OPERATOR_NOT_EQUAL
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'")
_MOST_FILTER_CHARACTERS = 2_000

Fate: TypeAlias = "messages.ConstraintFate.ValueType"


@dataclass(frozen=True)
class Policy:
    """Which constraints narrow: those of at least this confidence, and of wanted values those of these keys.

    Prices, measures and what is not wanted narrow whatever their key.
    """

    confidence: float
    wanted_keys: frozenset[str]
    rates: Rates


@dataclass(frozen=True)
class Decision:
    """What becomes of one constraint; `condition` is there when it narrows, or did until it was relaxed."""

    constraint: Constraint
    fate: Fate
    reason: str = ""
    condition: Condition | None = None

    def turned(self, fate: Fate, reason: str) -> "Decision":
        """Return the decision with another fate."""
        return replace(self, fate=fate, reason=reason)

    def report(self) -> ConstraintReport:
        """Return it as the caller reads it."""
        told = self.condition.filter if self.condition and self.fate in (APPLIED, RELAXED) else ""
        return ConstraintReport(constraint=self.constraint, fate=self.fate, reason=self.reason, filter=told)


def decide(
    constraints: Iterable[Constraint],
    products: ProductColumns,
    *,
    callers_filter: str,
    narrowing: Narrowing,
    policy: Policy,
) -> list[Decision]:
    """Return what becomes of each constraint, in their order, given the products that were found."""
    decisions = []
    for each in constraints:
        kept_out = _kept_out(each, narrowing, policy)
        decisions.append(kept_out or _compared(each, products, callers_filter, policy))
    return decisions


def _kept_out(constraint: Constraint, narrowing: Narrowing, policy: Policy) -> Decision | None:
    """Return the decision on a constraint that narrows no answer whatever was found."""
    if narrowing.off or constraint.key in narrowing.except_keys:
        return Decision(constraint, messages.CONSTRAINT_FATE_SWITCHED_OFF, "the request says so")
    if constraint.key == "model":
        return Decision(constraint, messages.CONSTRAINT_FATE_ORDERS, "model numbers are matched as words")
    if _only_orders(constraint, policy):
        reason = f"wanted values of {constraint.key!r} do not exclude others (--narrowing-keys)"
        return Decision(constraint, messages.CONSTRAINT_FATE_ORDERS, reason)
    if constraint.confidence < policy.confidence:
        reason = f"its confidence is below {policy.confidence:g} (--narrowing-confidence)"
        return Decision(constraint, messages.CONSTRAINT_FATE_UNSURE, reason)
    return None


def _compared(
    constraint: Constraint, products: ProductColumns, callers_filter: str, policy: Policy
) -> Decision:
    try:
        condition = condition_of(constraint, products, policy.rates)
    except Incomparable as error:
        return Decision(constraint, INCOMPARABLE, str(error))
    if named := [field for field in condition.fields if _names(callers_filter, field)]:
        reason = f"the request's filter names {named[0]}"
        return Decision(constraint, messages.CONSTRAINT_FATE_OVERRIDDEN, reason)
    return Decision(constraint, APPLIED, condition=condition)


def joined_filter(callers_filter: str, applied: Sequence[Decision]) -> str:
    """Return the caller's filter and the applied conditions as one; of several values of a field any counts.

    Raises ValueError when that is longer than a filter may be.
    """
    alternatives: dict[str, list[str]] = {}
    for each in applied:
        if each.condition is not None:
            alternatives.setdefault(_alternative(each), []).append(each.condition.filter)
    conditions = [" OR ".join(f"({one})" for one in some) for some in alternatives.values()]
    given = [callers_filter] if callers_filter.strip() else []
    whole = " AND ".join(f"({each})" for each in given + conditions)
    if len(whole) > _MOST_FILTER_CHARACTERS:
        raise ValueError(f"with the request's filter it is longer than {_MOST_FILTER_CHARACTERS} characters")
    return whole


def meeting(applied: Sequence[Decision], n: int) -> list[bool]:
    """Return for each of n products found whether it meets all that is applied."""
    alternatives: dict[str, list[bool]] = {}
    for each in applied:
        if each.condition is not None:
            before = alternatives.get(_alternative(each), [False] * n)
            both = zip(before, each.condition.met, strict=True)
            alternatives[_alternative(each)] = [one or other for one, other in both]
    return [all(met[row] for met in alternatives.values()) for row in range(n)]


def _alternative(decision: Decision) -> str:
    """Return what a wanted value is an alternative to: "xl or xxl" are values of one field."""
    if decision.condition is None or decision.constraint.operator != _EQUAL:
        return f"{id(decision)}"
    return decision.condition.fields[0]


def _only_orders(constraint: Constraint, policy: Policy) -> bool:
    hard = constraint.key == "price" or constraint.key in MEASURES or constraint.operator == _NOT_EQUAL
    return not hard and constraint.key not in policy.wanted_keys


def _names(callers_filter: str, field: str) -> bool:
    """Whether a filter may name a field; a text that only looks like it counts too, and only widens."""
    bare = field.replace('"', "")
    key = bare.removeprefix("attributes.")
    if bare != key:
        return f"attributes.{key}" in callers_filter or f'attributes."{key}"' in callers_filter
    return re.search(rf"(?<![\w.]){re.escape(bare)}\b", _STRING.sub('""', callers_filter)) is not None
