"""Rules of one file that cannot all be kept."""

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from services.ranking.rules.folding import fold
from services.ranking.rules.schema import Rule, RuleFile, When

_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Contradiction:
    """What is wrong at a path of the file, and what to do about it."""

    path: tuple[str | int, ...]
    remedy: str


def contradictions(file: RuleFile) -> Iterator[Contradiction]:
    """Yield ids given twice, pins that meet at one position, and products pinned and hidden or pinned twice.

    Only rules that surely hold for one request contradict each other: two patterns with `*` that may or may
    not meet are left to the request, where the first rule of the file has its way and the other the next free
    position.
    """
    seen: dict[str, int] = {}
    for place, rule in enumerate(file.rules):
        if rule.id in seen:
            yield Contradiction(
                ("rules", place, "id"), f"{rule.id!r} is the id of rules[{seen[rule.id]}]; choose another"
            )
        seen.setdefault(rule.id, place)
    placed = [(place, rule) for place, rule in enumerate(file.rules) if rule.pin or rule.hide]
    for (_, first), (place, second) in combinations(placed, 2):
        if (first.pin or second.pin) and meet(first.when, second.when):
            yield from _contradiction(first, place, second)


def _contradiction(first: Rule, place: int, second: Rule) -> Iterator[Contradiction]:
    action = "pin" if second.pin else "hide"
    common = sorted(set(first.named_products) & set(second.named_products))
    if common:
        verbs = " and ".join("pins" if each.pin else "hides" for each in (first, second))
        yield Contradiction(
            ("rules", place, action, "products"),
            f"{common[0]!r} is in {first.id!r} too ({verbs}) for the same requests; take it out of one",
        )
    elif first.pin and second.pin and (shared := _positions(first) & _positions(second)):
        yield Contradiction(
            ("rules", place, "pin", "position"),
            f"position {min(shared)} is pinned by {first.id!r} for the same requests; "
            f"choose {max(_positions(first)) + 1} or more, or other requests",
        )


def _positions(rule: Rule) -> set[int]:
    return set(range(rule.pin.position, rule.pin.position + len(rule.pin.products))) if rule.pin else set()


def meet(one: When, other: When) -> bool:
    """Return whether some request surely meets both conditions."""
    begins = max(one.since or _BEGINNING, other.since or _BEGINNING)
    ends = min(one.until or _END, other.until or _END)
    return (
        begins < ends
        and (not one.surfaces or not other.surfaces or bool(set(one.surfaces) & set(other.surfaces)))
        and _queries_meet([fold(each) for each in one.queries], [fold(each) for each in other.queries])
        and _categories_meet(one.categories, other.categories)
    )


def _queries_meet(one: list[str], other: list[str]) -> bool:
    if not one or not other or set(one) & set(other):
        return True
    return _names(one, other) or _names(other, one)


def _names(texts: list[str], patterns: list[str]) -> bool:
    """Return whether a text without wildcards matches one of the patterns."""
    plain = [each for each in texts if not set("*?[") & set(each)]
    return any(fnmatch.fnmatchcase(each, pattern) for each in plain for pattern in patterns)


def _categories_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return (
        not one
        or not other
        or any(
            f"{a.casefold()}/".startswith(f"{b.casefold()}/")
            or f"{b.casefold()}/".startswith(f"{a.casefold()}/")
            for a in one
            for b in other
        )
    )
