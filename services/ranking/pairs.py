"""A query and a passage as one text, and what a cross-encoder's logit of it means."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

CROSS_ENCODER = "cross_encoder"  # its name in a model store
OUTPUT = "score"
CALIBRATION_FILE = "calibration.json"  # of every version

_MOST_CHARACTERS = 2000  # of a passage: more than fills any model's tokens, and need not be tokenised


class Prefixes(Protocol):
    """What tells the two parts apart: a base model has them, and a manifest."""

    @property
    def query_prefix(self) -> str: ...

    @property
    def passage_prefix(self) -> str: ...


class Calibration(BaseModel):
    """P(relevant) = sigmoid(slope · logit + intercept): Platt 1999, fitted on validation pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    slope: float = Field(gt=0)
    intercept: float

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return P(relevant) of each logit, float [n] → float64 [n]."""
        # 1 / (1 + e^−x), written so that no x overflows.
        found: NDArray[np.float64] = np.exp(
            -np.logaddexp(0.0, -(self.slope * logits.astype(np.float64) + self.intercept))
        )
        return found


def pair_text(prefixes: Prefixes, query: str, passage: str) -> str:
    """The text that a cross-encoder reads; a cut at its end costs the end of the passage."""
    return f"{prefixes.query_prefix}{query}\n{prefixes.passage_prefix}{passage[:_MOST_CHARACTERS]}"
