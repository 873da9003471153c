"""The one training loop: intent, retriever and ranker differ only in module, batches, loss and figures."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.checkpoint import Checkpoint, Progress, load_trained_state, trained_state
from training.recipe import fingerprint

Batch = TypeVar("Batch")
BEFORE_TRAINING = -1


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate; those without gradients are left out."""

    parameters: Sequence[nn.Parameter]
    learning_rate: float
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Schedule:
    """How long and how carefully to train."""

    epochs: int
    max_steps: int | None = None  # optimiser steps in all; None: every batch of every epoch
    warm_up: float = 0.1  # share of the steps during which the learning rate rises, then it falls to 0
    clip_norm: float = 1.0  # largest L2 norm of the gradient
    patience: int | None = None  # stop after so many validations without a better figure; None: never
    seed: int = 0
    checkpoint_steps: int = 100  # besides the end of each epoch

    def steps(self, per_epoch: int) -> int:
        """Return the optimiser steps of a whole run."""
        every = self.epochs * per_epoch
        return every if self.max_steps is None else min(every, self.max_steps)


@dataclass(frozen=True)
class Task(Generic[Batch]):
    """What to train and how to judge it."""

    module: nn.Module
    groups: Sequence[ParameterGroup]
    # Epoch (from 0) → its batches; the same ones each time it is asked, drawn from no global random state.
    batches: Callable[[int], Iterable[Batch]]
    steps_per_epoch: int
    loss: Callable[[Batch], Tensor]  # scalar
    validate: Callable[[], Mapping[str, float]]  # called in eval mode without gradients
    choose_by: str  # the validation figure that chooses the epoch
    larger_is_better: bool = True
    before_training: bool = False  # validate the untrained module too; it may then be what is kept
    # Called with the number of the optimiser step just taken, from 1, while its gradients are still there.
    after_step: Callable[[int], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """A finished run; the module holds the weights of `best_epoch`."""

    best_epoch: int  # from 0; -1: the module as it was before training
    figures: Mapping[str, float]  # the validation of that epoch
    history: Sequence[Mapping[str, float]]  # every validation: its figures, "epoch", "step" and "loss"
    steps: int
    seconds: float
    resumed: bool
    log_folder: Path = field(default=Path())
    parameters: int = 0  # numbers that were trained


def train(
    task: Task[Batch],
    schedule: Schedule,
    *,
    name: str,
    recipe: Mapping[str, object],
    runs: Path = Path("runs"),
) -> Outcome:
    """Train `task.module` in place and leave it, in eval mode, with the weights of its best validation.

    AdamW with linear warm-up and linear decay. `recipe` holds all that decides the weights: an interrupted
    run of the same `name` and recipe goes on from `runs/<name>/checkpoint.pt`, step for step as if it had
    never stopped; a finished one removes it. TensorBoard reads `runs/<name>/<start>/`.
    """
    started = datetime.now().astimezone()
    log_folder = runs / name / started.strftime("%Y%m%d-%H%M%S")
    checkpoint = Checkpoint(runs / name, fingerprint(recipe))
    writer = SummaryWriter(log_dir=str(log_folder))
    try:
        run = _Run(task, schedule, name, checkpoint, writer)
        run.go()
    finally:
        writer.close()
    checkpoint.remove()
    return run.outcome(log_folder)


class _Run(Generic[Batch]):
    def __init__(
        self,
        task: Task[Batch],
        schedule: Schedule,
        name: str,
        checkpoint: Checkpoint,
        writer: SummaryWriter,
    ) -> None:
        self.task, self.schedule, self.name = task, schedule, name
        self.checkpoint, self.writer = checkpoint, writer
        self.total = schedule.steps(task.steps_per_epoch)
        torch.manual_seed(schedule.seed)
        self.parameters = [p for group in task.groups for p in group.parameters if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": trained, "lr": group.learning_rate, "weight_decay": group.weight_decay}
                for group in task.groups
                if (trained := [p for p in group.parameters if p.requires_grad])
            ]
        )
        self.scheduler = LambdaLR(self.optimiser, lambda step: _rate(step, self.total, schedule.warm_up))
        self.progress, self.best = Progress(), trained_state(task.module)
        self.resumed = self._restore()
        self.bar = tqdm(
            total=self.total,
            initial=self.progress.step,
            desc=name,
            unit="step",
            disable=not sys.stderr.isatty(),
        )

    def go(self) -> None:
        since = time.monotonic() - self.progress.seconds  # so that an interruption does not count
        if self.task.before_training and self.progress.best_epoch is None:
            self._validate(BEFORE_TRAINING)
        while not self._finished():
            self._epoch(since)
        self.progress.seconds = time.monotonic() - since
        self.bar.close()
        load_trained_state(self.task.module, self.best)
        self.task.module.eval()

    def outcome(self, log_folder: Path) -> Outcome:
        done = self.progress
        if done.best_epoch is None:
            raise ValueError(
                f"{self.name}: nothing was validated: no step was taken, or no figure was a number"
            )
        row = next(row for row in done.history if row["epoch"] == done.best_epoch)
        figures = {key: value for key, value in row.items() if key not in ("epoch", "step", "loss")}
        return Outcome(
            best_epoch=done.best_epoch,
            figures=figures,
            history=done.history,
            steps=done.step,
            seconds=done.seconds,
            resumed=self.resumed,
            log_folder=log_folder,
            parameters=sum(parameter.numel() for parameter in self.parameters),
        )

    def _restore(self) -> bool:
        found = self.checkpoint.restore(self.task.module, self.optimiser, self.scheduler)
        if found is None:
            return False
        self.progress, self.best, rng = found
        torch.set_rng_state(rng)
        self._say(f"goes on from step {self.progress.step} of {self.total}")
        return True

    def _finished(self) -> bool:
        done, patience = self.progress, self.schedule.patience
        if done.epoch >= self.schedule.epochs or done.step >= self.total:
            return True
        best = done.best_epoch if done.best_epoch is not None else BEFORE_TRAINING
        return patience is not None and done.epoch - 1 - best >= patience

    def _epoch(self, since: float) -> None:
        done = self.progress
        self.task.module.train()
        for batch in islice(self.task.batches(done.epoch), done.step_in_epoch, None):
            self._step(batch)
            if done.step >= self.total:
                break
            if done.step_in_epoch % self.schedule.checkpoint_steps == 0:
                self._save(since)
        self._validate(done.epoch)
        done.epoch, done.step_in_epoch, done.loss_sum = done.epoch + 1, 0, 0.0
        self._save(since)

    def _step(self, batch: Batch) -> None:
        loss = self.task.loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"{self.name}: the loss is {value} at step {self.progress.step}")
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.schedule.clip_norm)
        self.optimiser.step()
        self.scheduler.step()
        self.task.after_step(self.progress.step + 1)
        self._record(value, norm.item())

    def _record(self, loss: float, norm: float) -> None:
        done = self.progress
        done.step, done.step_in_epoch, done.loss_sum = (
            done.step + 1,
            done.step_in_epoch + 1,
            done.loss_sum + loss,
        )
        self.writer.add_scalar("train/loss", loss, done.step)
        self.writer.add_scalar("train/gradient_norm", norm, done.step)
        self.writer.add_scalar("train/learning_rate", self.scheduler.get_last_lr()[0], done.step)
        self.bar.update()
        self.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

    def _validate(self, epoch: int) -> None:
        self.task.module.eval()
        with torch.no_grad():
            figures = {key: float(value) for key, value in self.task.validate().items()}
        done, chosen = self.progress, figures[self.task.choose_by]
        loss = done.loss_sum / done.step_in_epoch if done.step_in_epoch else math.nan
        done.history.append({**figures, "epoch": epoch, "step": done.step, "loss": loss})
        better = chosen > done.best_figure if self.task.larger_is_better else chosen < done.best_figure
        if better or (done.best_epoch is None and not math.isnan(chosen)):
            done.best_epoch, done.best_figure = epoch, chosen
            self.best = trained_state(self.task.module)
        for key, value in figures.items():
            self.writer.add_scalar(f"validation/{key}", value, done.step)
        self._say(_line(epoch, loss, figures, best=done.best_epoch == epoch))

    def _save(self, since: float) -> None:
        self.progress.seconds = time.monotonic() - since
        self.checkpoint.save(self.progress, self.task.module, self.optimiser, self.scheduler, self.best)

    def _say(self, text: str) -> None:
        tqdm.write(f"{self.name}: {text}")


def _rate(step: int, total: int, warm_up: float) -> float:
    rising = max(1, round(total * warm_up))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))


def _line(epoch: int, loss: float, figures: Mapping[str, float], *, best: bool) -> str:
    when = "before training" if epoch == BEFORE_TRAINING else f"epoch {epoch}, loss {loss:.4f}"
    shown = " ".join(f"{key} {value:.4f}" for key, value in figures.items())
    return f"{when}: {shown}{' *' if best else ''}"
