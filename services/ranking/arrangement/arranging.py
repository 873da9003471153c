"""The order of the candidates: what rules fix, then what is left by score, diversity and caps."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import Move, MoveKind
from services.ranking.arrangement.exploration import explore
from services.ranking.arrangement.greedy import Cap, Chosen, choose
from services.ranking.arrangement.likeness import Likeness
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import Bools, Floats, Ints, Products
from services.ranking.objectives import order


@dataclass(frozen=True)
class Orders:
    """What rules order of n candidates.

    `changes`: by row, what each rule adds to its score, as moves without positions; `pins`: place from 0 →
    (row, rule); `hidden`: rows that are left out.
    """

    changes: Mapping[int, tuple[Move, ...]] = field(default_factory=dict)
    pins: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def added(self, n: int) -> Floats:
        """Return what rules add to each score, float64 [n]."""
        added = np.zeros(n)
        for row, moves in self.changes.items():
            added[row] = sum(move.score_change for move in moves)
        return added


@dataclass(frozen=True)
class Arranged:
    """Rows best first, int64 [m], with `moves` by row: what put it elsewhere than its model's score."""

    rows: Ints
    moves: Mapping[int, list[Move]]


NO_ORDERS = Orders()


def arrange(
    scores: Floats,
    fused: Floats,
    products: Products | None,
    arrangement: Arrangement,
    orders: Orders = NO_ORDERS,
    *,
    request_id: str,
    now_seconds: float,
) -> Arranged:
    """Return the order of n candidates; `scores` and `fused` are float64 [n], the scores without any rule.

    `products` may be None when neither the arrangement nor any order changes anything.
    """
    alone = order(scores, fused)
    if products is None or (arrangement.changes_nothing and orders == NO_ORDERS):
        return Arranged(alone, {})
    kept = np.ones(len(scores), dtype=np.bool_)
    kept[list(orders.hidden)] = False
    ranked = scores + orders.added(len(scores))
    fixed = {place: row for place, (row, _) in orders.pins.items() if kept[row]}
    pinned = dict(fixed)
    new = _new(ranked, kept, products, arrangement, fixed, request_id=request_id, now_seconds=now_seconds)
    fixed |= new
    places = min(_places(arrangement, fixed), int(kept.sum()))
    chosen = choose(
        ranked,
        kept,
        places,
        fixed={place: row for place, row in fixed.items() if place < places},
        caps=_caps(products, arrangement),
        likeness=Likeness(products, arrangement.diversity) if arrangement.diversity.strength else None,
        strength=arrangement.diversity.strength,
    )
    rows = _behind(chosen, order(ranked, fused), kept)
    return Arranged(
        rows,
        _moves(
            alone[kept[alone]],
            rows,
            orders,
            reasons=chosen.reasons,
            pinned=set(pinned.values()),
            new=set(new.values()),
        ),
    )


def _places(arrangement: Arrangement, fixed: Mapping[int, int]) -> int:
    arranged = 0 if arrangement.changes_nothing else arrangement.places
    return max(arranged, 1 + max(fixed, default=-1))


def _new(
    scores: Floats,
    kept: Bools,
    products: Products,
    arrangement: Arrangement,
    fixed: Mapping[int, int],
    *,
    request_id: str,
    now_seconds: float,
) -> dict[int, int]:
    if not arrangement.exploration.share:
        return {}
    free = kept.copy()
    free[list(fixed.values())] = False
    return explore(
        scores,
        free,
        products,
        arrangement.exploration,
        places=min(arrangement.places, int(kept.sum())),
        taken=fixed,
        request_id=request_id,
        now_seconds=now_seconds,
    )


def _caps(products: Products, arrangement: Arrangement) -> list[Cap]:
    caps = arrangement.caps
    sellers = products.attributes.get(caps.seller_attribute)
    candidates = (
        (MoveKind.MOVE_KIND_VARIANT_CAP, caps.variants, products.groups),
        (MoveKind.MOVE_KIND_BRAND_CAP, caps.brand, products.brands),
        (MoveKind.MOVE_KIND_SELLER_CAP, caps.seller, sellers),
    )
    return [Cap(kind, most, words.rows) for kind, most, words in candidates if most and words is not None]


def _behind(chosen: Chosen, ranked: Ints, kept: Bools) -> Ints:
    rest = kept.copy()
    rest[chosen.rows] = False
    return np.concatenate([np.array(chosen.rows, dtype=np.int64), ranked[rest[ranked]]])


def _moves(
    alone: Ints, rows: Ints, orders: Orders, *, reasons: Ints, pinned: Set[int], new: Set[int]
) -> dict[int, list[Move]]:
    """Name what moved each row; a row that only made way for others is not named."""
    rules = {row: rule for _, (row, rule) in orders.pins.items()}
    before = {row: place for place, row in enumerate(alone.tolist(), start=1)}
    moves: dict[int, list[Move]] = {}
    for place, row in enumerate(rows.tolist(), start=1):
        found = [
            Move(kind=each.kind, rule=each.rule, score_change=each.score_change)
            for each in orders.changes.get(row, ())
        ]
        if row in pinned:
            found.append(Move(kind=MoveKind.MOVE_KIND_PIN, rule=rules[row]))
        elif row in new:
            found.append(Move(kind=MoveKind.MOVE_KIND_EXPLORATION))
        elif reasons[row] and before[row] != place:
            found.append(Move(kind=MoveKind.ValueType(int(reasons[row]))))
        for move in found:
            move.from_position, move.to_position = before[row], place
        if found:
            moves[row] = found
    return moves
