"""Fitting SASRec with the training loop all models share."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.loop import Outcome, ParameterGroup, Schedule, Task, train
from training.sequence.losses import Sample, Sampler, full_loss, sampled_loss
from training.sequence.model import SASRec, ServedSequence, Shape
from training.sequence.protocol import Score, Scores, figures, rank
from training.sequence.recipe import Recipe
from training.sequence.sequences import HeldOut, Items, padded

_POOL = 20  # batches; users of like length come together inside a pool, so that little is padding


@dataclass(frozen=True)
class Batch:
    """What was read and what came next, int64 [users, tokens] each with 0 for padding."""

    items: Tensor
    targets: Tensor
    sample: Sample | None


def fit(
    users: Sequence[Items],
    validation: HeldOut,
    items: int,
    recipe: Recipe,
    *,
    name: str,
    ingredients: Mapping[str, object],
    runs: Path = Path("runs"),
) -> tuple[SASRec, Outcome]:
    """Return a model of `items` items fitted to `users`; its figure on `validation` chooses the epoch."""
    torch.manual_seed(recipe.seed)
    model = untrained(items, recipe)
    batches = Batches(users, items, model.shape.longest, recipe)
    task = Task(
        module=model,
        groups=[ParameterGroup(list(model.parameters()), recipe.learning_rate, recipe.weight_decay)],
        batches=batches.of_epoch,
        steps_per_epoch=len(batches),
        loss=lambda batch: loss(model, batch),
        validate=lambda: figures(rank(scorer(model), validation)),
        choose_by=recipe.choose_by,
    )
    schedule = Schedule(
        epochs=recipe.epochs,
        warm_up=0.02,
        clip_norm=5.0,
        patience=recipe.patience,
        seed=recipe.seed,
        checkpoint_steps=500,
    )
    return model, train(task, schedule, name=name, recipe=ingredients, runs=runs)


def untrained(items: int, recipe: Recipe) -> SASRec:
    """Return a model of the recipe's shape with random weights."""
    return SASRec(Shape(items, dimension=recipe.dimension, dropout=recipe.dropout))


def loss(model: SASRec, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of what came next, a scalar, over positions that are no padding.

    The paper's binary cross-entropy with one negative an item is outdone by this (Klenitskiy and Vasilev,
    RecSys 2023, arXiv 2309.07602).
    """
    asked = batch.targets > 0
    states, targets = model(batch.items)[asked], batch.targets[asked]
    if batch.sample is None:
        return full_loss(states, model.items.weight, targets)
    return sampled_loss(states, model.items.weight, targets, batch.sample)


def scorer(model: SASRec) -> Score:
    """Return what scores all items after histories by `model`; each history holds an item or more."""
    served = ServedSequence(model)

    def score(histories: Sequence[Items]) -> Scores:
        with torch.no_grad():
            users = served(torch.from_numpy(padded(histories, model.shape.longest)))
            scores: Scores = (users @ model.item_vectors().T).numpy()
        return scores

    return score


class Batches:
    """The training data, cut into batches anew each epoch."""

    def __init__(self, users: Sequence[Items], items: int, longest: int, recipe: Recipe) -> None:
        self._users = [user[-longest - 1 :] for user in users if len(user) > 1]
        self._lengths = np.array([len(user) for user in self._users])
        self._recipe, self._longest = recipe, longest
        counts = np.bincount(np.concatenate(self._users), minlength=items + 1)[1:]
        self._sampler = Sampler(counts, recipe.sample) if items > recipe.sample else None

    def __len__(self) -> int:
        return math.ceil(len(self._users) / self._recipe.batch)

    def of_epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; the same ones each time it is asked."""
        random = np.random.default_rng([self._recipe.seed, epoch])
        for users in self._grouped(random):
            rows = torch.from_numpy(padded([self._users[user] for user in users], self._longest + 1))
            sample = self._sampler.draw(random) if self._sampler else None
            yield Batch(rows[:, :-1], rows[:, 1:], sample)

    def _grouped(self, random: np.random.Generator) -> list[Items]:
        order, batch = random.permutation(len(self._users)), self._recipe.batch
        pools = np.split(order, range(_POOL * batch, len(order), _POOL * batch))
        by_length = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        groups = np.split(by_length, range(batch, len(order), batch))
        return [groups[place] for place in random.permutation(len(groups))]
