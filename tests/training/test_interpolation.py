import torch
from torch import nn

from training.retriever.interpolation import choose_ratio, interpolate


def linear(value: float) -> nn.Linear:
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, value)
    nn.init.constant_(module.bias, -value)
    return module


def test_ratio_moves_every_weight_in_a_straight_line() -> None:
    mixed = interpolate(linear(1.0).state_dict(), linear(3.0).state_dict(), 0.25)
    assert torch.equal(mixed["weight"], torch.full((2, 2), 1.5))
    assert torch.equal(mixed["bias"], torch.full((2,), -1.5))


def test_counters_are_not_mixed() -> None:
    norm, other = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    other(torch.randn(4, 2))
    assert interpolate(norm.state_dict(), other.state_dict(), 0.5)["num_batches_tracked"] == 0


def test_the_best_validated_mixture_stays_in_the_module() -> None:
    module = linear(4.0)

    def validate() -> dict[str, float]:
        return {"closeness": -abs(float(module.weight[0, 0].detach()) - 2.0)}

    choice = choose_ratio(module, linear(0.0).state_dict(), (0.0, 0.5, 1.0), validate, by="closeness")
    assert choice.ratio == 0.5
    assert torch.equal(module.weight, torch.full((2, 2), 2.0))
    assert choice.figures == {0.0: {"closeness": -2.0}, 0.5: {"closeness": 0.0}, 1.0: {"closeness": -2.0}}


def test_a_tie_stays_near_the_base() -> None:
    module = linear(4.0)
    assert (
        choose_ratio(module, linear(0.0).state_dict(), (1.0, 0.5, 0.0), lambda: {"x": 1.0}, by="x").ratio
        == 0.0
    )


def test_most_of_the_gain_is_enough_to_stay_nearer_to_the_base() -> None:
    def validate() -> dict[str, float]:
        return {"mrr": {0.0: 0.5, 0.5: 0.88, 1.0: 0.9}[float(module.weight[0, 0].detach())]}

    for gain_kept, expected in ((1.0, 1.0), (0.9, 0.5)):
        module = linear(1.0)
        choice = choose_ratio(
            module, linear(0.0).state_dict(), (0.0, 0.5, 1.0), validate, by="mrr", gain_kept=gain_kept
        )
        assert choice.ratio == expected


def test_tuning_that_only_harms_is_undone() -> None:
    module = linear(1.0)

    def validate() -> dict[str, float]:
        return {"mrr": 0.5 - float(module.weight[0, 0].detach())}

    choice = choose_ratio(module, linear(0.0).state_dict(), (0.0, 0.5), validate, by="mrr", gain_kept=0.9)
    assert choice.ratio == 0.0
    assert torch.equal(module.weight, torch.zeros(2, 2))
