"""Fitting the network with the training loop all models share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from services.intent.decoding import Decoder
from services.intent.labels import Labels
from training.base_models import BaseModel
from training.demo_shop import Query
from training.finetuning import Method, merge, prepare, trainable
from training.intent.batches import Batcher
from training.intent.entered import EnteredBatch, EnteredBatches
from training.intent.example import Example
from training.intent.figures import figures
from training.intent.losses import multi_task_loss
from training.intent.network import IntentNetwork
from training.intent.reading import by_network, understand
from training.intent.recipe import Recipe
from training.layers import run_layers, upper_layers
from training.loop import Outcome, ParameterGroup, Schedule, Task, train

MAX_TOKENS = 128  # of a served query; 512 characters of Chinese may be more


@dataclass(frozen=True)
class Data:
    """What to learn from and what chooses the epoch."""

    train: Sequence[Example]
    validation: Sequence[Query]


def fit(
    base: BaseModel,
    labels: Labels,
    data: Data,
    recipe: Recipe,
    *,
    method: Method,
    seed: int,
    identity: Mapping[str, object],
    runs: Path = Path("runs"),
) -> tuple[IntentNetwork, Outcome]:
    """Return a plain network fitted to `data.train`, in eval mode, and how the run went.

    The validation figure "score" chooses the epoch. `base` is changed in place. `identity` holds all that
    decides the weights, so that an interrupted run goes on only as the same one.
    """
    torch.manual_seed(seed)
    plain, frozen = base.encoder, base.config.num_hidden_layers - recipe.trainable_layers
    encoder = prepare(plain, method, recipe.trainable_layers)
    network = IntentNetwork(
        encoder,
        base.dimension,
        intents=len(labels.intent),
        categories=len(labels.category),
        tags=len(labels.slots),
    )
    base.tokenizer.enable_truncation(max_length=MAX_TOKENS)
    batcher = Batcher(base.tokenizer, labels.intent, labels.category, labels.slots)
    entered = EnteredBatches(batcher, plain, frozen, examples=data.train, recipe=recipe, seed=seed)

    def loss(batch: EnteredBatch) -> Tensor:
        states = run_layers(upper_layers(plain, frozen), batch.states, batch.attention_mask)
        return multi_task_loss(network.read(states, batch.attention_mask), batch.labels, recipe.weights)

    rate = recipe.adapter_rate if method == "lora" else recipe.encoder_rate
    task = Task(
        module=network,
        groups=[
            ParameterGroup(list(trainable(encoder)), rate),
            ParameterGroup(network.heads(), recipe.head_rate),
        ],
        batches=entered.epoch,
        steps_per_epoch=-(-(len(data.train) + recipe.invented(len(data.train))) // recipe.batch),
        loss=loss,
        validate=lambda: evaluate(network, base, labels, data.validation),
        choose_by="score",
    )
    schedule = Schedule(epochs=recipe.epochs, max_steps=recipe.max_steps, seed=seed)
    outcome = train(task, schedule, name="intent", recipe=identity, runs=runs)
    network.encoder = merge(encoder)
    return network.eval(), outcome


def evaluate(
    network: IntentNetwork, base: BaseModel, labels: Labels, queries: Sequence[Query]
) -> Mapping[str, float]:
    """Return the figures of `network` on `queries`."""
    texts = [query.text for query in queries]
    return figures(understand(by_network(network), base.tokenizer, Decoder(labels), texts), queries)
