"""Weights between the base and the fine-tuned encoder: WiSE-FT (Wortsman et al. 2021, arXiv 2109.01903)."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn


def interpolate(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], ratio: float) -> dict[str, Tensor]:
    """(1 − ratio) · base + ratio · tuned, tensor by tensor; tensors that are no floats are the base's."""
    return {
        name: torch.lerp(tensor, tuned[name], ratio) if tensor.is_floating_point() else tensor
        for name, tensor in base.items()
    }


def choose_ratio(
    encoder: nn.Module,
    base: Mapping[str, Tensor],
    ratios: Iterable[float],
    figure: Callable[[], float],
) -> dict[float, float]:
    """The validation figure of each ratio, larger better; the encoder is left with the best one's weights.

    `encoder` comes with the tuned weights, `base` are those it was tuned from. On a tie the smaller ratio
    wins: it is nearer to what the base knows.
    """
    tuned = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    figures: dict[float, float] = {}
    for ratio in sorted(ratios):
        encoder.load_state_dict(interpolate(base, tuned, ratio))
        figures[ratio] = figure()
    best = max(figures, key=lambda ratio: (figures[ratio], -ratio))
    encoder.load_state_dict(interpolate(base, tuned, best))
    return figures
