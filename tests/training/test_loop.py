from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.checkpoint import FILENAME
from training.loop import Outcome, ParameterGroup, Schedule, Task, train

INPUTS = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
TARGETS = INPUTS @ torch.tensor([1.0, -2.0, 0.5, 3.0])
BATCHES_PER_EPOCH = 8


class Killed(Exception):
    pass


def model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))


def batches(epoch: int) -> Iterator[Tensor]:
    order = torch.randperm(64, generator=torch.Generator().manual_seed(epoch))
    yield from order.reshape(BATCHES_PER_EPOCH, -1)


def task(module: nn.Module, watch: Callable[[], None] = lambda: None) -> Task[Tensor]:
    def loss(rows: Tensor) -> Tensor:
        watch()
        value: Tensor = (module(INPUTS[rows])[:, 0] - TARGETS[rows]).square().mean()
        return value

    def validate() -> dict[str, float]:
        assert not module.training
        return {"error": (module(INPUTS)[:, 0] - TARGETS).square().mean().item()}

    groups = [ParameterGroup(list(module.parameters()), 0.1)]
    return Task(module, groups, batches, BATCHES_PER_EPOCH, loss, validate, "error", larger_is_better=False)


def fit(module: nn.Module, runs: Path, watch: Callable[[], None] = lambda: None, seed: int = 0) -> Outcome:
    schedule = Schedule(epochs=4, seed=seed, checkpoint_steps=3)
    return train(task(module, watch), schedule, name="line", recipe={"seed": seed}, runs=runs)


def kill_at(step: int) -> Callable[[], None]:
    calls = iter(range(1000))

    def watch() -> None:
        if next(calls) == step:
            raise Killed

    return watch


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_training_learns_and_leaves_logs_and_no_checkpoint(tmp_path: Path) -> None:
    module = model()
    outcome = fit(module, tmp_path)
    errors = [row["error"] for row in outcome.history]
    assert errors[-1] < 0.5 * errors[0]
    assert outcome.steps == 32
    assert list(outcome.log_folder.glob("events.out.tfevents*"))
    assert not (tmp_path / "line" / FILENAME).exists()


@pytest.mark.parametrize("step", [2, 5, 8, 21])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    whole, broken = model(), model()
    expected = fit(whole, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(broken, tmp_path / "broken", kill_at(step))
    resumed = model()
    outcome = fit(resumed, tmp_path / "broken")
    assert outcome.resumed is (step > 3)
    assert same(whole, resumed)
    assert outcome.history == expected.history


def test_a_checkpoint_of_another_recipe_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(model(), tmp_path, kill_at(20), seed=0)
    assert not fit(model(), tmp_path, seed=1).resumed


def test_a_truncated_checkpoint_is_said_and_training_starts_afresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        fit(model(), tmp_path, kill_at(20))
    checkpoint = tmp_path / "line" / FILENAME
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    assert not fit(model(), tmp_path).resumed
    assert "cannot be read" in capsys.readouterr().out


def scripted(module: nn.Module, figures: list[float]) -> Task[Tensor]:
    """A task whose validations give these figures, one after another."""
    script = iter(figures)
    plain = task(module)
    return Task(
        module, plain.groups, batches, BATCHES_PER_EPOCH, plain.loss, lambda: {"mrr": next(script)}, "mrr",
        before_training=True,
    )  # fmt: skip


def test_the_best_validation_is_kept_and_patience_stops(tmp_path: Path) -> None:
    outcome = train(
        scripted(model(), [0.1, 0.2, 0.9, 0.8, 0.7, 0.95]), Schedule(epochs=5, patience=2),
        name="line", recipe={}, runs=tmp_path,
    )  # fmt: skip
    assert outcome.best_epoch == 1
    assert outcome.figures == {"mrr": 0.9}
    assert len(outcome.history) == 5


def test_training_that_only_harms_leaves_the_module_as_it_was(tmp_path: Path) -> None:
    module = model()
    outcome = train(
        scripted(module, [0.9, 0.2, 0.1]), Schedule(epochs=2), name="line", recipe={}, runs=tmp_path
    )
    assert outcome.best_epoch == -1
    assert same(module, model())


def test_max_steps_ends_the_run_with_a_validation(tmp_path: Path) -> None:
    outcome = train(task(model()), Schedule(epochs=4, max_steps=11), name="line", recipe={}, runs=tmp_path)
    assert outcome.steps == 11
    assert [row["step"] for row in outcome.history] == [8, 11]


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    module = model()
    broken = Task(
        module, [ParameterGroup(list(module.parameters()), 0.1)], batches, BATCHES_PER_EPOCH,
        lambda rows: module(INPUTS[rows]).sum() * float("nan"), lambda: {"error": 0.0}, "error",
    )  # fmt: skip
    with pytest.raises(FloatingPointError, match="loss is nan at step 0"):
        train(broken, Schedule(epochs=1), name="line", recipe={}, runs=tmp_path)
