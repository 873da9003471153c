"""Fine-tuning the bi-encoder with the loop all models share, then going back towards the base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from training.base_models import BaseModel
from training.finetuning import Method, merge, prepare, trainable, trained_parameters
from training.loop import Outcome, ParameterGroup, Schedule, Task, train
from training.recipe import fingerprint
from training.retriever.batches import Batch, PairSampler
from training.retriever.embedder import Embedder
from training.retriever.interpolation import choose_ratio
from training.retriever.mining import Miner
from training.retriever.objective import Objective
from training.retriever.recipe import Recipe
from training.retriever.sources import Source
from training.retriever.teacher import Teacher
from training.retriever.validation import CHOSEN_BY, Probe, Validation

NAME = "retriever"
GAIN_KEPT = 0.9  # of the validation gain; the rest is given back for what the base knows


@dataclass(frozen=True)
class Fitted:
    """A bi-encoder ready for export, and how it came about."""

    embedder: Embedder  # plain, in eval mode, with the chosen mixture of weights
    outcome: Outcome
    parameters: int  # numbers that training changed
    by_ratio: Mapping[
        float, Mapping[str, float]
    ]  # ratio of tuned weights → validation figures; 0 is the base
    ratio: float  # the chosen one


def fit(
    base: BaseModel,
    sources: Sequence[Source],
    probes: Sequence[Probe],
    recipe: Recipe,
    *,
    method: Method,
    seed: int,
    identity: Mapping[str, object],
    runs: Path = Path("runs"),
    teacher: Teacher | None = None,
) -> Fitted:
    """Fine-tune `base`, in place; validation on `probes` chooses the epoch and the weights' mixture.

    `identity` holds all that decides the weights, so that an interrupted run goes on only as the same one.
    Raises ValueError when the recipe distils and there is no `teacher`, or no negatives to ask it about.
    """
    if recipe.distillation and not (teacher and recipe.hard_negatives):
        raise ValueError("distillation takes a teacher and hard negatives to ask it about")
    torch.manual_seed(seed)
    before = {name: tensor.clone() for name, tensor in base.encoder.encoder.state_dict().items()}
    layers = min(recipe.trainable_layers, base.config.num_hidden_layers)
    frozen = base.config.num_hidden_layers - layers
    validation = Validation(probes, base, frozen=frozen, max_tokens=recipe.passage_tokens)
    embedder = Embedder(prepare(base.encoder, method, layers))
    parameters = trained_parameters(embedder)
    run = fingerprint(identity)
    miner = _miner(base, embedder, recipe, seed=seed, folder=runs / NAME, run=run)
    sampler = _sampler(base, sources, recipe, seed, miner)
    task = _task(Objective(embedder, recipe, teacher), sampler, validation, recipe, method)
    schedule = Schedule(epochs=recipe.epochs, seed=seed, checkpoint_steps=20)
    outcome = train(task, schedule, name=NAME, recipe=identity, runs=runs)
    miner.forget()
    encoder = merge(embedder.encoder)
    ratios = (0.0, *recipe.ratios)
    choice = choose_ratio(
        encoder.encoder, before, ratios, validation.figures, by=CHOSEN_BY, gain_kept=GAIN_KEPT
    )
    return Fitted(Embedder(encoder).eval(), outcome, parameters, choice.figures, choice.ratio)


def _miner(
    base: BaseModel, embedder: Embedder, recipe: Recipe, *, seed: int, folder: Path, run: str
) -> Miner:
    return Miner(
        embedder=embedder,
        base=base,
        per_query=recipe.hard_negatives,
        pool=recipe.mining_pool,
        query_tokens=recipe.query_tokens,
        passage_tokens=recipe.passage_tokens,
        seed=seed,
        folder=folder,
        run=run,
    )


def _sampler(
    base: BaseModel, sources: Sequence[Source], recipe: Recipe, seed: int, miner: Miner
) -> PairSampler:
    return PairSampler(
        sources=sources,
        tokenizer=base.tokenizer,
        query_prefix=base.query_prefix,
        passage_prefix=base.passage_prefix,
        batch_size=recipe.batch,
        batches_per_epoch=recipe.steps_per_epoch,
        query_tokens=recipe.query_tokens,
        passage_tokens=recipe.passage_tokens,
        seed=seed,
        miner=miner if recipe.hard_negatives else None,
    )


def _task(
    objective: Objective, sampler: PairSampler, validation: Validation, recipe: Recipe, method: Method
) -> Task[Batch]:
    rate = recipe.adapter_rate if method == "lora" else recipe.learning_rate
    return Task(
        module=objective.embedder,
        groups=[ParameterGroup(list(trainable(objective.embedder)), rate)],
        batches=sampler.epoch,
        steps_per_epoch=recipe.steps_per_epoch,
        loss=objective,
        validate=validation.figures,
        choose_by=CHOSEN_BY,
        before_training=True,
    )
