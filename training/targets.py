"""What a graph must reach against the framework before it may be published."""

import math
from collections.abc import Mapping

from runtime.inference.manifest import Precision

# Least values of the figures that `training.export.Parity` gives.
TARGETS: Mapping[Precision, Mapping[str, float]] = {
    "fp32": {"cosine_min": 0.99999},
    "int8": {"cosine_min": 0.98, "top1_agreement": 0.95},
    "fp16": {"cosine_min": 0.9999},
}


def misses(parity: Mapping[Precision, Mapping[str, float]]) -> list[str]:
    """Return a sentence for each figure of TARGETS that is not reached, or was not measured."""
    return [
        f"{precision} {figure} is {figures.get(figure, math.nan):.5f}, at least {least:g} is required"
        for precision, figures in parity.items()
        for figure, least in TARGETS[precision].items()
        if not figures.get(figure, math.nan) >= least
    ]
