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
    gain_kept: float = 1.0,
) -> Choice:
    """Leave `module` with the smallest ratio whose figure `by` keeps the share `gain_kept` of the best gain.

    The gain is over ratio 0, which `ratios` must hold; larger figures are better. The last of the gain on
    the task costs most of what the base knows of everything else. `module` comes with the tuned weights,
    `base` are those it was tuned from.
    """
    tuned = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    figures: dict[float, Mapping[str, float]] = {}
    for ratio in sorted(ratios):
        module.load_state_dict(interpolate(base, tuned, ratio))
        figures[ratio] = validate()
    untuned, best = figures[0.0][by], max(row[by] for row in figures.values())
    enough = untuned + gain_kept * (best - untuned)
    chosen = min(ratio for ratio, row in figures.items() if row[by] >= enough or row[by] == best)
    module.load_state_dict(interpolate(base, tuned, chosen))
    return Choice(chosen, figures)
