"""The blend of objectives: one score per candidate from what the model predicts and what retrieval found."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from aisle.catalog.v1.columns_pb2 import DictionaryColumn
from services.ranking.columns import Floats, Ints
from services.ranking.scaling import standardise

# Below this a probability is as good as impossible; its logarithm must not drown the other objectives.
_LEAST = 1e-4
LEARNED = ("relevance", "click", "conversion")  # the objectives that the model predicts
CROSS_ENCODER = "cross_encoder"  # the objective that the cross-encoder predicts


class Weights(BaseModel):
    """How much each objective counts on one surface.

    The defaults are those of search, chosen on the demo shop's validation queries: 23 % more expected clicks
    and 43 % more purchases in the first ten than the fused order, at nDCG@10 .986 for .929; that of the
    cross-encoder, which is off by default, has not been chosen by anything yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fused: float = Field(0.1, ge=0, description="weight of the standardised fused retrieval score")
    relevance: float = Field(1.0, ge=0, description="weight of ln P(relevant)")
    click: float = Field(1.0, ge=0, description="weight of ln P(click | seen)")
    conversion: float = Field(0.2, ge=0, description="weight of ln P(purchase | click)")
    cross_encoder: float = Field(
        0.2, ge=0, description="weight of ln P(relevant) by the cross-encoder, for the hits that it reads"
    )


@dataclass(frozen=True)
class Predictions:
    """What the model says of n candidates: probabilities, float32 [n] each."""

    click: NDArray[np.float32]
    conversion: NDArray[np.float32]
    relevance: NDArray[np.float32]


@dataclass(frozen=True)
class Read:
    """What a cross-encoder says of the candidates that it read.

    `rows`: int64 [r], each once; `relevances`: float64 [r], P(relevant) of each.
    """

    rows: Ints
    relevances: Floats

    def gains(self, n: int) -> Floats:
        """Return what each of n candidates gains, float64 [n]: ln p − the least ln p of those that were read.

        Nobody loses by being read, and so the candidates that were read stay before all others.
        """
        gains = np.zeros(n)
        if len(self.rows):
            found = logs(self.relevances)
            gains[self.rows] = found - found.min()
        return gains


NO_READ = Read(np.zeros(0, dtype=np.int64), np.zeros(0))


def terms(
    fused: Floats, predictions: Predictions, weights: Weights, familiarity: float, read: Read = NO_READ
) -> Mapping[str, Floats]:
    """Return what each objective adds to the score of each candidate: by name, float64 [n].

    score = familiarity · (fused · z + Σ weight · (ln p − mean ln p)) + (1 − familiarity) · z, z being the
    standardised fused score. The sum of logarithms is a product of powers of the objectives, so that none
    can make up for another that is near 0. They are centred, not standardised: where the model sees no
    difference it makes none, and the fused order stands. `familiarity`, 0 to 1, is how far the model knows
    these candidates; at 0 the fused order stands alone. What was `read` counts however familiar the
    candidates are, as the fused score does: both come from the texts.
    """
    z = standardise(fused, np.ones(len(fused), dtype=np.bool_))
    return {
        "fused": (familiarity * weights.fused + 1 - familiarity) * z,
        **{
            objective: familiarity * getattr(weights, objective) * centred(getattr(predictions, objective))
            for objective in LEARNED
        },
        CROSS_ENCODER: weights.cross_encoder * read.gains(len(fused)),
    }


def blend(fused: Floats, predictions: Predictions, weights: Weights, familiarity: float) -> Floats:
    """Return the score of each candidate that nobody has read, float64 [n]: the sum of its `terms`."""
    score: Floats = np.sum(list(terms(fused, predictions, weights, familiarity).values()), axis=0)
    return score


def familiarity(categories: DictionaryColumn, known: Set[str]) -> float:
    """Return the share of candidates, 0 to 1, whose category (case-folded) is one of `known`.

    What a model learned in one shop, such as how far popularity may outweigh relevance, is wrong in another:
    on a catalogue of other categories the first place is worth more than any such habit.
    """
    knows = np.array([*(value.casefold() in known for value in categories.values), False])
    return float(knows[np.array(categories.indices, dtype=np.int64)].mean()) if categories.indices else 0.0


def order(scores: Floats, fused: Floats) -> NDArray[Any]:
    """Return the rows best first, int64 [n]; equal scores fall back to the fused order, then to the rows'."""
    rows: NDArray[Any] = np.lexsort((-fused, -scores))
    return rows


def logs(probabilities: NDArray[np.floating[Any]]) -> Floats:
    """Return ln p, float64 [n]; what is as good as impossible counts as if it were 1 in 10,000."""
    found: Floats = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    return found


def centred(probabilities: NDArray[np.float32]) -> Floats:
    """Return ln p − mean ln p over the candidates, float64 [n]."""
    found = logs(probabilities)
    return found - float(found.mean())
