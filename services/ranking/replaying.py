"""A logged request ranked again: from its features, by the model, to its order."""

from dataclasses import dataclass

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import HitExplanation, Move, MoveKind
from aisle.ranking.v1.log_pb2 import LoggedRequest
from services.ranking.arrangement.arranging import Orders
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import read_products
from services.ranking.explanation.contributions import Predict, Scored
from services.ranking.explanation.explaining import explain
from services.ranking.features import Inputs
from services.ranking.history_pairs import PAIRS, no_pairs
from services.ranking.objectives import Predictions, Read, Weights
from services.ranking.ordering import Basis, Ordered, settle

_CHANGES = (MoveKind.MOVE_KIND_BOOST, MoveKind.MOVE_KIND_BURY)


@dataclass(frozen=True)
class Replayed:
    """A request ranked again."""

    logged: LoggedRequest
    inputs: Inputs
    basis: Basis
    predictions: Predictions
    ordered: Ordered

    @property
    def same_order(self) -> bool:
        """Whether every hit stands where it stood."""
        return list(self.ordered.arranged.rows) == list(self.logged.response.order)

    @property
    def largest_difference(self) -> float:
        """The largest difference of a hit's score from the one that was answered."""
        rows = np.array(self.logged.response.order, dtype=np.int64)
        gaps = self.ordered.scores[rows] - np.array(self.logged.response.scores, dtype=np.float64)
        return float(np.abs(gaps).max(initial=0.0))


def replay(logged: LoggedRequest, predict: Predict) -> Replayed:
    """Rank a logged request again; raises ValueError when its features do not fit its candidates."""
    inputs = inputs_of(logged)
    basis = basis_of(logged)
    predictions = predict(inputs)
    return Replayed(logged, inputs, basis, predictions, settle(basis, predictions))


def inputs_of(logged: LoggedRequest) -> Inputs:
    """Return what was ranked by."""
    n = len(logged.request.candidates.products.ids)
    flat = np.frombuffer(logged.features, dtype="<f4")
    pairs = np.frombuffer(logged.pairs, dtype=np.uint8)
    if not n or len(flat) % n or len(pairs) % (n * len(PAIRS)):
        raise ValueError(
            f"{len(flat)} features and {len(pairs)} relations do not fit {n} candidates; "
            "the record is damaged"
        )
    related = pairs.reshape(n, len(PAIRS), -1) if len(pairs) else no_pairs(n)
    return Inputs(flat.reshape(n, -1).astype(np.float32), related)


def basis_of(logged: LoggedRequest) -> Basis:
    """Return what decided the order beside the model."""
    candidates, weights = logged.request.candidates, logged.weights
    return Basis(
        fused=np.array(candidates.fused_scores, dtype=np.float64),
        weights=Weights(
            fused=weights.fused,
            relevance=weights.relevance,
            click=weights.click,
            conversion=weights.conversion,
            cross_encoder=weights.cross_encoder,
        ),
        familiarity=logged.familiarity,
        arrangement=Arrangement.model_validate_json(logged.arrangement),
        orders=_orders(logged),
        products=read_products(candidates.products),
        request_id=logged.request_id,
        now_seconds=logged.now_seconds,
        read=Read(
            np.array(logged.read_rows, dtype=np.int64), np.array(logged.read_relevances, dtype=np.float64)
        ),
    )


def explain_again(replayed: Replayed, hits: int, predict: Predict, language: str) -> list[HitExplanation]:
    """Explain the first hits of a replayed request, in "zh" or "en", or in its own language if empty."""
    request = replayed.logged.request
    if language:
        request.language = language
    basis, ordered = replayed.basis, replayed.ordered
    return explain(
        request,
        read_products(request.candidates.products),
        Scored(
            replayed.inputs,
            replayed.predictions,
            ordered.terms,
            ordered.added,
            basis.weights,
            basis.familiarity,
            basis.read,
        ),
        ordered.arranged.rows[:hits].tolist(),
        moves=ordered.arranged.moves,
        predict=predict,
        now_seconds=basis.now_seconds,
    )


def _orders(logged: LoggedRequest) -> Orders:
    """Return what rules had ordered: the answer names every change, pin, and by its gaps what was hidden."""
    rows = list(logged.response.order)
    changes: dict[int, tuple[Move, ...]] = {}
    pins: dict[int, tuple[int, str]] = {}
    for hit in logged.response.moves:
        changed = tuple(move for move in hit.moves if move.kind in _CHANGES)
        if changed:
            changes[rows[hit.place]] = changed
        for move in hit.moves:
            if move.kind == MoveKind.MOVE_KIND_PIN:
                pins[hit.place] = (rows[hit.place], move.rule)
    hidden = set(range(len(logged.request.candidates.products.ids))) - set(rows)
    return Orders(changes, pins, frozenset(hidden))
