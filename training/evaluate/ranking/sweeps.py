"""The blends and the strengths of diversity that are tried."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from services.ranking.arrangement.policy import Arrangement, Diversity
from services.ranking.objectives import Weights
from services.ranking.policy import SurfacePolicy
from training.evaluate.ranking.cases import Case
from training.evaluate.ranking.worth import Worth, fused_order, pareto, served_order, weighed_order, worth

_FUSED, _RELEVANCE = (0.0, 0.1, 0.3), (0.5, 1.0)
_CLICK, _CONVERSION = (0.0, 0.3, 0.6, 1.0, 1.5), (0.0, 0.2, 0.5, 1.0)
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)


@dataclass(frozen=True)
class Tried:
    """One order that was tried, with what it is worth; `best` where no other is at least as good in all."""

    name: str
    worth: Worth
    best: bool = False


def blends(cases: Sequence[Case], served: SurfacePolicy) -> list[Tried]:
    """Try the fused order, the served blend, and a grid of weights; mark the Pareto-optimal ones of the grid.

    Objectives are nDCG by grade, expected clicks and expected purchases.
    """
    grid = [
        Weights(fused=fused, relevance=relevance, click=click, conversion=conversion)
        for fused, relevance, click, conversion in product(_FUSED, _RELEVANCE, _CLICK, _CONVERSION)
    ]
    tried = [worth(cases, weighed_order(weights)) for weights in grid]
    best = pareto(np.array([(each.ndcg, each.clicks, each.purchases) for each in tried]))
    return [
        Tried("fused", worth(cases, fused_order)),
        Tried("served", worth(cases, served_order(served))),
        *(
            Tried(_named(weights), each, bool(kept))
            for weights, each, kept in zip(grid, tried, best, strict=True)
        ),
    ]


def diversities(cases: Sequence[Case], served: SurfacePolicy) -> list[Tried]:
    """Try the served weights of a surface with every strength of diversity."""
    return [
        Tried(
            f"strength {strength:g}",
            worth(
                cases,
                weighed_order(
                    Weights(**_weights(served)), Arrangement(diversity=Diversity(strength=strength))
                ),
            ),
            best=strength == served.arrangement.diversity.strength,
        )
        for strength in STRENGTHS
    ]


def by_intent(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the cases by the likeliest intent of their query."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        intent = max(case.intents, key=lambda each: each.probability)
        found.setdefault(intent.label, []).append(case)
    return found


def _weights(policy: SurfacePolicy) -> dict[str, float]:
    return {name: getattr(policy, name) for name in Weights.model_fields}


def _named(weights: Weights) -> str:
    return " / ".join(f"{value:g}" for value in weights.model_dump().values())


def flat(title: str, tried: Sequence[Tried]) -> dict[str, float]:
    """Return all values by "<title>/<order>/<measure>"."""
    return {
        f"{title}/{each.name}/{measure}": value
        for each in tried
        for measure, value in asdict(each.worth).items()
    }
