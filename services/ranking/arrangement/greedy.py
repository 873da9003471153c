"""Greedy choice of the first places: diversity as a determinantal point process, under caps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.arrangement_pb2 import MoveKind
from services.ranking.arrangement.likeness import Likeness
from services.ranking.columns import Bools, Floats, Ints

# What is new about a product that repeats those above it never falls to nothing: the logarithm must stand.
_LEAST_NEW = 1e-6
_NOBODY = -np.inf


@dataclass(frozen=True)
class Cap:
    """At most `most` of the chosen have one value; `rows`: int64 [n], that of each candidate, −1 for none."""

    kind: "MoveKind.ValueType"
    most: int
    rows: Ints


@dataclass(frozen=True)
class Chosen:
    """The rows of the first places, int64 [places], and why rows did not come in the order of their scores.

    `reasons`: int64 [n], a MoveKind, 0 for a row that was never passed over and passed nobody.
    """

    rows: list[int]
    reasons: Ints


class _Novelty:
    """What is new about each candidate given those chosen: the d² of the paper named in `choose`."""

    def __init__(self, likeness: Likeness, n: int, places: int) -> None:
        self._likeness = likeness
        self._factors = np.zeros((places, n))
        self._chosen = 0
        self.new = np.ones(n)

    def choose(self, row: int) -> None:
        done = self._factors[: self._chosen]
        factor = (self._likeness.of(row) - done.T @ done[:, row]) / np.sqrt(self.new[row])
        self._factors[self._chosen] = factor
        self._chosen += 1
        self.new = np.maximum(self.new - factor**2, _LEAST_NEW)


def choose(
    scores: Floats,
    free: Bools,
    places: int,
    *,
    fixed: Mapping[int, int],
    caps: Sequence[Cap],
    likeness: Likeness | None,
    strength: float,
) -> Chosen:
    """Choose the first `places`, each time the candidate of the greatest score + strength · ln(what is new).

    The fast greedy MAP inference of a determinantal point process with the kernel
    L = diag(e^(score / 2 strength)) · likeness · diag(e^(score / 2 strength)): Chen, Zhang and Zhou,
    arXiv 1709.05135, algorithm 1. O(n · places²). `scores`: float64 [n]; `free`: bool [n], those that may be
    chosen, as many as there are `places` at least; `fixed`: place from 0 → row. A row at its cap waits until
    nothing else is left.
    """
    open_scores = np.where(free, scores, _NOBODY)
    for row in fixed.values():
        open_scores[row] = _NOBODY
    counts = [np.zeros(int(cap.rows.max(initial=-1)) + 2) for cap in caps]  # the last is that of no value
    novelty = _Novelty(likeness, len(scores), places) if likeness is not None and strength else None
    rows: list[int] = []
    reasons: Ints = np.zeros(len(scores), dtype=np.int64)
    for place in range(places):
        row = fixed.get(place, -1)
        if row < 0:
            row = _best(open_scores, _capped(caps, counts), novelty, strength, reasons)
            open_scores[row] = _NOBODY
        rows.append(row)
        for cap, count in zip(caps, counts, strict=True):
            count[cap.rows[row]] += cap.rows[row] >= 0
        if novelty is not None:
            novelty.choose(row)
    return Chosen(rows, reasons)


def _capped(caps: Sequence[Cap], counts: Sequence[NDArray[np.float64]]) -> Ints | None:
    """Return which kind of cap each candidate is at, int64 [n], 0 for none; None when no cap is reached."""
    capped: Ints | None = None
    for cap, count in zip(caps, counts, strict=True):
        if (count >= cap.most).any():
            full = (count >= cap.most)[cap.rows]
            capped = (
                np.where(full & (capped == 0), cap.kind, capped) if capped is not None else full * cap.kind
            )
    return capped


def _best(
    open_scores: Floats, capped: Ints | None, novelty: _Novelty | None, strength: float, reasons: Ints
) -> int:
    gains = open_scores if novelty is None else open_scores + strength * np.log(novelty.new)
    if capped is not None and np.isfinite(open_scores[capped == 0]).any():
        gains = np.where(capped > 0, _NOBODY, gains)
    row = int(np.argmax(gains))
    passed = open_scores > open_scores[row]
    if passed.any():
        why = MoveKind.MOVE_KIND_DIVERSITY if capped is None else np.where(capped > 0, capped, _DIVERSITY)
        unmoved = passed & (reasons == 0)
        reasons[unmoved] = why if isinstance(why, int) else why[unmoved]
        if reasons[row] == 0:
            reasons[row] = reasons[int(np.argmax(open_scores))]
    return row


_DIVERSITY: int = MoveKind.MOVE_KIND_DIVERSITY
