"""Weights between the base and the fine-tuned encoder: WiSE-FT (Wortsman et al. 2021, arXiv 2109.01903)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


def interpolate(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], ratio: float) -> dict[str, Tensor]:
    """(1 − ratio) · base + ratio · tuned, tensor by tensor; tensors that are no floats are the base's."""
    return {
        name: torch.lerp(tensor, tuned[name], ratio) if tensor.is_floating_point() else tensor
        for name, tensor in base.items()
    }


@dataclass(frozen=True)
class Choice:
    """The ratio taken, and the validation figures of all that were tried."""

    ratio: float
    figures: Mapping[float, Mapping[str, float]]


def choose_ratio(
    module: nn.Module,
    base: Mapping[str, Tensor],
    ratios: Iterable[float],
    validate: Callable[[], Mapping[str, float]],
    *,
    by: str,
    tolerance: float = 0.0,
) -> Choice:
    """Leave `module` with the smallest ratio whose figure `by`, larger being better, is the best but for
    `tolerance`: what is no worse for the task and nearer to the base keeps more of what the base knows.

    `module` comes with the tuned weights, `base` are those it was tuned from.
    """
    tuned = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    figures: dict[float, Mapping[str, float]] = {}
    for ratio in sorted(ratios):
        module.load_state_dict(interpolate(base, tuned, ratio))
        figures[ratio] = validate()
    best = max(row[by] for row in figures.values())
    chosen = min(ratio for ratio, row in figures.items() if row[by] >= best - tolerance)
    module.load_state_dict(interpolate(base, tuned, chosen))
    return Choice(chosen, figures)
