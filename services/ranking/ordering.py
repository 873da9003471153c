"""From predictions to the order of one request: pure, so that a logged request gives the same order again."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import Move, MoveKind
from services.ranking.arrangement.arranging import Arranged, Orders, arrange
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import Floats, Ints, Products
from services.ranking.objectives import CROSS_ENCODER, NO_READ, Predictions, Read, Weights, order, terms


@dataclass(frozen=True)
class Basis:
    """What decides an order beside the model's predictions.

    `fused`: float64 [n]; `familiarity`: 0 to 1; `now_seconds` since the Unix epoch. `products` may be None
    when neither the arrangement nor the orders change anything.
    """

    fused: Floats
    weights: Weights
    familiarity: float
    arrangement: Arrangement
    orders: Orders
    products: Products | None
    request_id: str
    now_seconds: float
    read: Read = NO_READ


@dataclass(frozen=True)
class Ordered:
    """The candidates in their order: `terms` by objective, `added` by rules and `scores` are float64 [n]."""

    terms: Mapping[str, Floats]
    added: Floats
    scores: Floats
    arranged: Arranged


def settle(basis: Basis, predictions: Predictions) -> Ordered:
    """Return the order of n candidates and what their scores are made of."""
    found = terms(basis.fused, predictions, basis.weights, basis.familiarity, basis.read)
    alone: Floats = np.sum(list(found.values()), axis=0)
    added = basis.orders.added(len(alone))
    arranged = arrange(
        alone,
        basis.fused,
        basis.products,
        basis.arrangement,
        basis.orders,
        request_id=basis.request_id,
        now_seconds=basis.now_seconds,
    )
    if len(basis.read.rows):
        unread: Floats = np.sum([term for name, term in found.items() if name != CROSS_ENCODER], axis=0)
        arranged = _say_who_moved(arranged, order(unread, basis.fused), order(alone, basis.fused))
    return Ordered(found, added, alone + added, arranged)


def _say_who_moved(arranged: Arranged, before: Ints, after: Ints) -> Arranged:
    """Name the cross-encoder where it moved a row; `before`, `after`: rows by score without and with it."""
    kept = set(arranged.rows.tolist())
    was, became = _places(before, kept), _places(after, kept)
    moves = {row: list(each) for row, each in arranged.moves.items()}
    for place, row in enumerate(arranged.rows.tolist(), start=1):
        if was[row] != became[row]:
            move = Move(kind=MoveKind.MOVE_KIND_CROSS_ENCODER, from_position=was[row], to_position=place)
            moves[row] = [move, *moves.get(row, ())]
    return Arranged(arranged.rows, moves)


def _places(rows: Ints, kept: Set[int]) -> dict[int, int]:
    return {row: place for place, row in enumerate((row for row in rows.tolist() if row in kept), start=1)}
