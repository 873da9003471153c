"""What is configured of one surface: the weights of its objectives, their limits, and its arrangement."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.intent.v1.intent_pb2 import LabelProbability
from runtime.serving.errors import Violations
from services.ranking.arrangement.policy import Arrangement
from services.ranking.objectives import CROSS_ENCODER, Weights

Objective = Literal["fused", "relevance", "click", "conversion", "cross_encoder"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


class IntentWeights(BaseModel):
    """The weights that differ when a query has one intent; the others are the surface's."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    fused: float | None = Field(None, ge=0)
    relevance: float | None = Field(None, ge=0)
    click: float | None = Field(None, ge=0)
    conversion: float | None = Field(None, ge=0)
    cross_encoder: float | None = Field(None, ge=0)


class Limits(BaseModel):
    """The most that one request may ask of each weight; the least is 0."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    fused: float = Field(2.0, ge=0)
    relevance: float = Field(2.0, ge=0)
    click: float = Field(2.0, ge=0)
    conversion: float = Field(2.0, ge=0)
    cross_encoder: float = Field(2.0, ge=0)


class SurfacePolicy(Weights):
    """The weights of a surface, those of single intents, what a request may ask for, and the arrangement."""

    intents: Mapping[str, IntentWeights] = Field(
        default_factory=dict, description="other weights by intent, such as purchase={conversion: 0.5}"
    )
    limits: Limits = Field(Limits(), description="the most that a request may ask of each weight")
    arrangement: Arrangement = Field(Arrangement(), description="how the first places are arranged")

    def weights(self, intents: Iterable[LabelProbability], asked: ObjectiveWeights) -> Weights:
        """Return the weights of a request: the mean over its intents by probability, and what it asked for.

        A mean, so that a query between two intents is ranked between them. What is left of the
        probabilities, and an intent without weights of its own, counts with the surface's weights.
        """
        chosen = {objective: getattr(self, objective) for objective in OBJECTIVES}
        for intent in intents if self.intents else ():
            other = self.intents.get(intent.label)
            for objective in OBJECTIVES if other else ():
                own = getattr(other, objective)
                if own is not None:
                    chosen[objective] += intent.probability * (own - getattr(self, objective))
        for objective in OBJECTIVES:
            if asked.HasField(objective):
                chosen[objective] = getattr(asked, objective)
        return Weights(**chosen)


def check_weights(violations: Violations, field: str, asked: ObjectiveWeights, policy: SurfacePolicy) -> None:
    """Note every weight beyond its limit, and weights that are all 0 where no cross-encoder reads."""
    for objective in OBJECTIVES:
        value, most = getattr(asked, objective), getattr(policy.limits, objective)
        if asked.HasField(objective) and not 0 <= value <= most:  # NaN is refused by this too
            violations.add(f"{field}.{objective}", f"must be 0 to its limit {most:g}, got {value}")
    left = (
        getattr(asked if asked.HasField(objective) else policy, objective)
        for objective in OBJECTIVES
        if objective != CROSS_ENCODER
    )
    if asked.ListFields() and not any(left):
        violations.add(field, "must leave one weight above 0")
