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
) -> Choice:
    """Leave `module` with the mixture of weights that has the best figure `by`, larger being better.

    `module` comes with the tuned weights, `base` are those it was tuned from. On a tie the smaller ratio
    wins: it is nearer to what the base knows.
    """
    tuned = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    figures: dict[float, Mapping[str, float]] = {}
    for ratio in sorted(ratios):
        module.load_state_dict(interpolate(base, tuned, ratio))
        figures[ratio] = validate()
    best = max(figures, key=lambda ratio: (figures[ratio][by], -ratio))
    module.load_state_dict(interpolate(base, tuned, best))
    return Choice(best, figures)
