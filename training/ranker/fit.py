"""Fitting the ranker with the training loop all models share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from training.loop import Outcome, ParameterGroup, Schedule, Task, train
from training.ranker.absence import hide
from training.ranker.dataset import Rows
from training.ranker.losses import Labels, multi_task_loss
from training.ranker.model import Examination, Ranker

BATCH = 40  # requests, of about 28 rows each
LEARNING_RATE, WEIGHT_DECAY = 5e-3, 2.0
# Weights that multiply a probability or stand alone grow large; at the rate of the others they never arrive.
LINEAR_RATE, LINEAR_DECAY = 3e-2, 0.05
EXAMINATION_RATE = 3e-2

Batch = tuple[Tensor, Tensor, Labels]


class Learner(nn.Module):
    """The ranker together with what explains the log but is not served: where shoppers look."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.ranker = Ranker(torch.from_numpy(rows.features), torch.from_numpy(rows.pairs))
        self.examination = Examination(int(rows.positions.max()))

    def loss(self, batch: Batch) -> Tensor:
        """Return the multi-task loss of a batch, a scalar."""
        features, pairs, labels = batch
        propensities = self.examination(labels.positions.clamp(min=1))
        return multi_task_loss(self.ranker(features, pairs.float()), propensities, labels)


def fit(
    rows: Rows,
    validation: Rows,
    *,
    epochs: int,
    seed: int,
    recipe: Mapping[str, object],
    runs: Path = Path("runs"),
) -> tuple[Learner, Outcome]:
    """Return a learner fitted to `rows`; the loss on `validation` chooses the epoch."""
    torch.manual_seed(seed)
    learner = Learner(rows)
    features, pairs, labels = _tensors(rows)
    held_out = _tensors(validation)
    starts = rows.starts().tolist()

    def batches(epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(seed * 1000 + epoch)
        for requests in torch.randperm(len(starts) - 1, generator=generator).split(BATCH):
            chosen = torch.cat([torch.arange(starts[each], starts[each + 1]) for each in requests.tolist()])
            yield *hide(features[chosen], pairs[chosen], generator), labels.rows(chosen)

    linear, between, deep = learner.ranker.groups()
    task = Task(
        module=learner,
        groups=[
            ParameterGroup(deep, LEARNING_RATE, WEIGHT_DECAY),
            ParameterGroup(linear, LINEAR_RATE, LINEAR_DECAY),
            ParameterGroup(between, LINEAR_RATE, 0.0),
            ParameterGroup(list(learner.examination.parameters()), EXAMINATION_RATE, 0.0),
        ],
        batches=batches,
        steps_per_epoch=-(-(len(starts) - 1) // BATCH),
        loss=learner.loss,
        validate=lambda: {"held_out_loss": float(learner.loss(held_out))},
        choose_by="held_out_loss",
        larger_is_better=False,
    )
    schedule = Schedule(epochs=epochs, seed=seed)
    with _one_thread():
        return learner, train(task, schedule, name="ranker", recipe=recipe, runs=runs)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The layers are small: more threads wait for each other, ten times as long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensors(rows: Rows) -> Batch:
    return torch.from_numpy(rows.features), torch.from_numpy(rows.pairs), labels_of(rows)


def labels_of(rows: Rows) -> Labels:
    """Return the labels of `rows` as tensors."""
    return Labels(
        requests=torch.from_numpy(rows.requests),
        positions=torch.from_numpy(rows.positions),
        clicks=torch.from_numpy(rows.clicks),
        purchases=torch.from_numpy(rows.purchases),
        grades=torch.from_numpy(rows.grades),
    )
