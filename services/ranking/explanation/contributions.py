"""What each group of features gave to each objective of a hit: exact Shapley values."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.ranking.columns import Floats
from services.ranking.explanation.groups import GROUPS, RETRIEVAL, TEXT, columns
from services.ranking.features import FEATURES, Inputs
from services.ranking.history_pairs import PAIRS
from services.ranking.objectives import CROSS_ENCODER, LEARNED, NO_READ, Predictions, Read, Weights, logs

AVERAGE, RULES = "average", "rules"
_ROWS_AT_ONCE = 4096
_LEAST = 1e-6  # what the last digits of a pass over another number of rows differ by

Values = NDArray[np.float32]
Predict = Callable[[Inputs], Predictions]


@dataclass(frozen=True)
class Part:
    """What one group of features gave to one objective, in units of the score."""

    objective: str
    group: str
    value: float


@dataclass(frozen=True)
class Scored:
    """What a request's n candidates were scored by.

    `terms` by objective and `added` (by rules): float64 [n], whose sum is the
    score; `weights` are what the logarithms of the predictions count for, `familiarity` included.
    """

    inputs: Inputs
    predictions: Predictions
    terms: Mapping[str, Floats]
    added: Floats
    weights: Weights
    familiarity: float
    read: Read = NO_READ


def contributions(scored: Scored, rows: Sequence[int], predict: Predict) -> list[list[Part]]:
    """Return the parts of the score of each of `rows`; those of a row add up to its score.

    The value of a set of groups is ln p of a candidate that has its own features in these groups and the mean
    over the request's candidates in the others; the Shapley value (1953; Lundberg and Lee, arXiv 1705.07874)
    is taken exactly over all 2^8 sets. What an average candidate gets is a part of its own, so that nothing
    is left over; of what the cross-encoder gives, that is the average of those that it read. `predict` is
    called with 256 rows for each of `rows`.
    """
    values = _values(scored.inputs, list(rows), predict)
    parts = []
    for place, row in enumerate(rows):
        of_row = [Part("fused", RETRIEVAL, float(scored.terms["fused"][row]))]
        for objective in LEARNED:
            weight = scored.familiarity * getattr(scored.weights, objective)
            shapley = _shapley_weights() @ values[objective][place]
            of_row += [
                Part(objective, group, weight * float(value))
                for group, value in zip(GROUPS, shapley, strict=True)
            ]
            centre = float(logs(getattr(scored.predictions, objective)).mean())
            of_row.append(Part(objective, AVERAGE, weight * (float(values[objective][place][0]) - centre)))
        of_row += _of_text(scored, row)
        of_row.append(Part("rules", RULES, float(scored.added[row])))
        parts.append([part for part in of_row if abs(part.value) > _LEAST])
    return parts


def _of_text(scored: Scored, row: int) -> list[Part]:
    if row not in scored.read.rows:
        return []
    given = scored.terms[CROSS_ENCODER]
    average = float(given[scored.read.rows].mean())
    return [
        Part(CROSS_ENCODER, TEXT, float(given[row]) - average),
        Part(CROSS_ENCODER, AVERAGE, average),
    ]


def _values(inputs: Inputs, rows: Sequence[int], predict: Predict) -> dict[str, Floats]:
    """Return ln p of every set of groups, by objective: float64 [rows, 2^G], the empty set first."""
    features, pairs = inputs.features, inputs.pairs.astype(np.float32)
    own = _masks(FEATURES), _masks(PAIRS)[..., None]
    average = features.mean(axis=0), pairs.mean(axis=0)
    per_call = max(1, _ROWS_AT_ONCE // len(own[0]))
    found: dict[str, list[Floats]] = {objective: [] for objective in LEARNED}
    for start in range(0, len(rows), per_call):
        some = rows[start : start + per_call]
        predictions = predict(
            Inputs(_mixed(features[some], average[0], own[0]), _mixed(pairs[some], average[1], own[1]))
        )
        for objective in LEARNED:
            of_all = logs(getattr(predictions, objective)).reshape(len(some), -1)
            found[objective].append(of_all)
    return {objective: np.concatenate(each) for objective, each in found.items()}


def _mixed(values: Values, average: Values, own: NDArray[np.bool_]) -> Values:
    """Return each of `values`, float32 [r, …], in every set of groups: float32 [r · 2^G, …]."""
    mixed: Values = np.where(own[None], values[:, None], average).reshape(-1, *values.shape[1:])
    return mixed


@cache
def _masks(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which of the columns `names` are the candidate's own in every set of groups: bool [2^G, names].

    Columns of no group are the same for all candidates, and their mean is their value.
    """
    masks = np.zeros((1 << len(GROUPS), len(names)), dtype=np.bool_)
    for bit, group_columns in enumerate(columns(names).values()):
        sets = np.flatnonzero(np.arange(len(masks)) >> bit & 1)
        masks[np.ix_(sets, group_columns)] = True
    return masks


@cache
def _shapley_weights() -> Floats:
    """Return the matrix that takes the values of all sets, [2^G], to the Shapley value of each group, [G]."""
    n = len(GROUPS)
    weights = np.zeros((n, 1 << n))
    for held in range(1 << n):
        size = held.bit_count()
        for group in range(n):
            if held >> group & 1:
                weights[group, held] = math.factorial(size - 1) * math.factorial(n - size) / math.factorial(n)
            else:
                weights[group, held] = (
                    -math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                )
    return weights
