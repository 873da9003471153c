"""Which rules meet a request, and what they order of its candidates."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import AppliedRule, Move, MoveKind
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.ranking.v1.ranking_pb2 import Surface
from runtime.observability.metrics import RANKING_RULES
from services.ranking.arrangement.arranging import Orders
from services.ranking.columns import Bools, Products, Words
from services.ranking.rules.folding import fold
from services.ranking.rules.schema import Goods, Rule, RuleFile, SurfaceName

_SURFACES: dict[int, SurfaceName] = {
    Surface.SURFACE_HOME: SurfaceName.HOME,
    Surface.SURFACE_SIMILAR: SurfaceName.SIMILAR,
    Surface.SURFACE_BOUGHT_TOGETHER: SurfaceName.BOUGHT_TOGETHER,
    Surface.SURFACE_NEW: SurfaceName.NEW,
    Surface.SURFACE_ACROSS: SurfaceName.ACROSS,
}
_SURE = 0.5


@dataclass(frozen=True)
class Situation:
    """What rules look at; `query` is folded, `category` the likeliest one if it is likely, else empty."""

    query: str
    category: str
    surface: SurfaceName
    instant: datetime

    @classmethod
    def of(
        cls, query: str, understanding: Understanding | None, surface: "Surface.ValueType", now_seconds: float
    ) -> "Situation":
        """Return the situation of a request; `now_seconds` since the Unix epoch."""
        likeliest = understanding.categories[:1] if understanding else []
        return cls(
            fold(query),
            next((each.label.casefold() for each in likeliest if each.probability >= _SURE), ""),
            _SURFACES.get(surface, SurfaceName.SEARCH),
            datetime.fromtimestamp(now_seconds, UTC),
        )


class _Compiled:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._surfaces = frozenset(rule.when.surfaces)
        self._categories = tuple(f"{each.casefold()}/" for each in rule.when.categories)
        patterns = [fnmatch.translate(fold(each)) for each in rule.when.queries]
        self._queries = re.compile("|".join(patterns)) if patterns else None

    def meets(self, situation: Situation) -> bool:
        return (
            (not self._surfaces or situation.surface in self._surfaces)
            and (not self._categories or f"{situation.category}/".startswith(self._categories))
            and self.rule.when.holds_at(situation.instant)
            and (self._queries is None or self._queries.match(situation.query) is not None)
        )


class Rulebook:
    """The rules of one file, ready to be applied."""

    def __init__(self, file: RuleFile) -> None:
        self._rules = [_Compiled(rule) for rule in file.rules]

    def __len__(self) -> int:
        return len(self._rules)

    def meeting(self, situation: Situation) -> list[Rule]:
        """Return the rules that meet a request, in the order of the file."""
        return [each.rule for each in self._rules if each.meets(situation)]


EMPTY = Rulebook(RuleFile())


def apply(rules: Sequence[Rule], products: Products) -> tuple[Orders, list[AppliedRule]]:
    """Return what `rules` order of the candidates, and each rule with the number of candidates it touches.

    A product is hidden before it is pinned, and pinned by the first rule that names it. A pin whose position
    is taken gets the next free one; one beyond the last candidate gets the last free one.
    """
    hidden: set[int] = set()
    changes: dict[int, tuple[Move, ...]] = {}
    touched: dict[str, int] = {}
    for rule in rules:
        if rule.pin is not None:
            continue
        rows = np.flatnonzero(_goods(products, rule)).tolist()
        touched[rule.id] = len(rows)
        if rule.hide is not None:
            hidden |= set(rows)
        else:
            move = _shift(rule)
            changes |= {row: (*changes.get(row, ()), move) for row in rows}
    pins = _pins(rules, products, hidden, touched)
    applied = [AppliedRule(rule=rule.id, kind=_kind(rule), products=touched[rule.id]) for rule in rules]
    for each in applied:
        outcome = "applied" if each.products else "no_candidate"
        RANKING_RULES.labels(MoveKind.Name(each.kind).removeprefix("MOVE_KIND_").lower(), outcome).inc()
    return Orders(
        {row: moves for row, moves in changes.items() if row not in hidden}, pins, frozenset(hidden)
    ), applied


def _pins(
    rules: Sequence[Rule], products: Products, hidden: set[int], touched: dict[str, int]
) -> dict[int, tuple[int, str]]:
    row_of = {product: row for row, product in enumerate(products.ids)}
    left = len(products.ids) - len(hidden)
    pins: dict[int, tuple[int, str]] = {}
    for rule in rules:
        if rule.pin is None:
            continue
        touched[rule.id] = 0
        taken = {row for row, _ in pins.values()}
        found = [(offset, row_of.get(product)) for offset, product in enumerate(rule.pin.products)]
        for offset, row in found:
            if row is None or row in hidden or row in taken:
                continue
            wanted = rule.pin.position - 1 + offset
            place = _free(pins, wanted, left)
            if place != min(wanted, left - 1):
                RANKING_RULES.labels("pin", "position_taken").inc()
            pins[place] = (row, rule.id)
            touched[rule.id] += 1
    return pins


def _free(pins: dict[int, tuple[int, str]], wanted: int, left: int) -> int:
    """Return the next free place from `wanted` on, or else the last free one, of `left` places."""
    free = [place for place in range(left) if place not in pins]
    return next((place for place in free if place >= wanted), free[-1])


def _goods(products: Products, rule: Rule) -> Bools:
    goods: Goods | None = rule.boost or rule.bury or rule.hide
    mask: Bools = np.ones(len(products.ids), dtype=np.bool_)
    if goods is None:
        return ~mask
    if goods.products:
        named = set(goods.products)
        mask &= np.array([product in named for product in products.ids])
    if goods.brands:
        mask &= _among(products.brands, {each.casefold() for each in goods.brands})
    if goods.categories:
        prefixes = tuple(f"{each.casefold()}/" for each in goods.categories)
        mask &= _among(
            products.categories,
            {each for each in products.categories.values if f"{each}/".startswith(prefixes)},
        )
    for key, values in goods.attributes.items():
        words = products.attributes.get(key)
        mask &= _among(words, {each.casefold() for each in values}) if words else False
    return mask


def _among(words: Words, values: set[str]) -> Bools:
    held: Bools = words.lookup(dict.fromkeys(values, 1.0)) > 0
    return held


def _shift(rule: Rule) -> Move:
    if rule.boost is not None:
        return Move(kind=MoveKind.MOVE_KIND_BOOST, rule=rule.id, score_change=rule.boost.by)
    return Move(
        kind=MoveKind.MOVE_KIND_BURY, rule=rule.id, score_change=-(rule.bury.by if rule.bury else 0.0)
    )


def _kind(rule: Rule) -> "MoveKind.ValueType":
    kinds = {
        MoveKind.MOVE_KIND_PIN: rule.pin,
        MoveKind.MOVE_KIND_BOOST: rule.boost,
        MoveKind.MOVE_KIND_BURY: rule.bury,
        MoveKind.MOVE_KIND_HIDE: rule.hide,
    }
    return next(kind for kind, action in kinds.items() if action is not None)
