"""Fitting the network with the training loop all models share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from services.intent.decoding import Decoder
from services.intent.labels import OUT_OF_SCOPE, Labels
from training.base_models import BaseModel
from training.demo_shop import Query
from training.finetuning import Method, merge, prepare, trainable
from training.intent.batches import Batcher
from training.intent.entered import EnteredBatch, EnteredBatches
from training.intent.example import Example
from training.intent.figures import figures, sentiment_figures
from training.intent.losses import multi_task_loss
from training.intent.network import IntentNetwork
from training.intent.reading import by_network, sentiments, understand
from training.intent.recipe import Recipe
from training.layers import run_layers, upper_layers
from training.loop import Outcome, ParameterGroup, Schedule, Task, train

MAX_TOKENS = 128  # of a served query; 512 characters of Chinese may be more


@dataclass(frozen=True)
class Data:
    """What to learn from, and the queries and reviews that choose the epoch."""

    train: Sequence[Example]
    validation: Sequence[Query]
    reviews: Sequence[Example] = ()


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
    network = IntentNetwork(encoder, base.dimension, labels)
    base.tokenizer.enable_truncation(max_length=MAX_TOKENS)
    batcher = Batcher(base.tokenizer, labels)
    entered = EnteredBatches(batcher, plain, frozen, examples=data.train, recipe=recipe, seed=seed)

    def leave(batch: EnteredBatch) -> Tensor:
        return run_layers(upper_layers(plain, frozen), batch.states, batch.attention_mask)

    def loss(batch: EnteredBatch) -> Tensor:
        logits = network.read(leave(batch), batch.attention_mask)
        return multi_task_loss(logits, batch.labels, recipe.weights)

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
        validate=lambda: evaluate(network, base, labels, data),
        choose_by="score",
    )
    schedule = Schedule(epochs=recipe.epochs, max_steps=recipe.max_steps, seed=seed)
    outcome = train(task, schedule, name="intent", recipe=identity, runs=runs)
    network.eval()
    _acquaint(network, leave, entered.epoch(0), labels)
    network.encoder = merge(encoder)
    return network.eval(), outcome


def evaluate(network: IntentNetwork, base: BaseModel, labels: Labels, data: Data) -> Mapping[str, float]:
    """Return the figures of `network` on the validation texts of `data`."""
    run, decoder = by_network(network), Decoder(labels)
    queries = understand(run, base.tokenizer, decoder, [query.text for query in data.validation])
    found = figures(queries, data.validation)
    if data.reviews:
        told = sentiments(run, base.tokenizer, decoder, [review.text for review in data.reviews])
        found |= sentiment_figures(told, data.reviews)
    return found


@torch.no_grad()
def _acquaint(
    network: IntentNetwork,
    leave: Callable[[EnteredBatch], Tensor],
    batches: Iterable[EnteredBatch],
    labels: Labels,
) -> None:
    """Show the trained network what it knows: the training texts in scope, by intent and category."""
    outside = labels.intent.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in labels.intent else -1
    features, groups = [], []
    for batch in batches:
        inside = batch.labels.intent != outside
        features.append(network.features(leave(batch), batch.attention_mask)[inside])
        groups.append((batch.labels.intent * len(labels.category) + batch.labels.category)[inside])
    network.familiarity.fit(torch.cat(features), torch.cat(groups))
