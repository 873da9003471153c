"""Fitting the network with the training loop all models share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from services.intent.decoding import Decoder
from services.intent.labels import OUT_OF_SCOPE, Labels
from training.base_models import BaseModel
from training.demo_shop import Query
from training.finetuning import Method, allocate, exportable, penalty, prepare, trainable
from training.intent.batches import Batcher
from training.intent.entered import EnteredBatch, EnteredBatches
from training.intent.example import Example
from training.intent.figures import figures, sentiment_figures
from training.intent.losses import NO_INTENT, multi_task_loss
from training.intent.network import IntentNetwork
from training.intent.reading import by_network, sentiments, understand
from training.intent.recipe import Recipe
from training.layers import narrow, run_layers, upper_layers
from training.loop import Outcome, ParameterGroup, Task, train

MAX_TOKENS = 128  # of a served query; 512 characters of Chinese may be more


Validate = Callable[[IntentNetwork], Mapping[str, float]]


@dataclass(frozen=True)
class Validation:
    """The queries and reviews that choose the epoch."""

    queries: Sequence[Query]
    reviews: Sequence[Example] = ()


def fit(
    base: BaseModel,
    labels: Labels,
    texts: Sequence[Example],
    recipe: Recipe,
    *,
    validate: Validate,
    method: Method,
    seed: int,
    identity: Mapping[str, object],
    name: str = "intent",
    runs: Path = Path("runs"),
) -> tuple[IntentNetwork, Outcome]:
    """Return a plain network fitted to `texts`, in eval mode, and how the run went.

    The figure "score" of `validate`, called in eval mode, chooses the epoch. `base` is changed in place.
    `identity` holds all that decides the weights, so that an interrupted run of this `name` goes on only as
    the same one.
    """
    torch.manual_seed(seed)
    steps_per_epoch = -(-(len(texts) + recipe.invented(len(texts))) // recipe.batch)
    schedule = recipe.schedule(seed)
    plain = base.encoder
    # A prefix stands before every layer, so that none of them can be run beforehand.
    frozen = 0 if method == "prefix" else base.config.num_hidden_layers - recipe.trainable_layers
    encoder = prepare(plain, method, recipe.trainable_layers, steps=schedule.steps(steps_per_epoch))
    network = IntentNetwork(encoder, base.dimension, labels)
    base.tokenizer.enable_truncation(max_length=MAX_TOKENS)
    batcher = Batcher(base.tokenizer, labels)
    entered = EnteredBatches(batcher, plain, frozen, examples=texts, recipe=recipe, seed=seed)

    def leave(batch: EnteredBatch) -> Tensor:
        if method == "prefix":
            output = encoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
            return cast(Tensor, output.last_hidden_state)
        with narrow(recipe.bfloat16):
            states = run_layers(upper_layers(plain, frozen), batch.states.float(), batch.attention_mask)
        return states.float()

    def loss(batch: EnteredBatch) -> Tensor:
        logits = network.read(leave(batch), batch.attention_mask)
        return multi_task_loss(logits, batch.labels, recipe.weights) + penalty(encoder)

    rate = recipe.encoder_rate if method == "full" else recipe.adapter_rate
    task = Task(
        module=network,
        groups=[
            ParameterGroup(list(trainable(encoder)), rate),
            ParameterGroup(network.heads(), recipe.head_rate),
        ],
        batches=entered.epoch,
        steps_per_epoch=steps_per_epoch,
        loss=loss,
        validate=lambda: validate(network),
        choose_by="score",
        after_step=lambda step: allocate(encoder, step),
    )
    outcome = train(task, schedule, name=name, recipe=identity, runs=runs)
    network.eval()
    _acquaint(network, leave, entered.epoch(0), labels)
    network.encoder = exportable(encoder)
    return network.eval(), outcome


def evaluate(
    network: IntentNetwork, base: BaseModel, labels: Labels, data: Validation
) -> Mapping[str, float]:
    """Return the figures of `network` on the texts of `data`."""
    run, decoder = by_network(network), Decoder(labels)
    queries = understand(run, base.tokenizer, decoder, [query.text for query in data.queries])
    found = figures(queries, data.queries)
    if data.reviews:
        told = sentiments(run, base.tokenizer, decoder, [review.text for review in data.reviews])
        found |= sentiment_figures(told, data.reviews)
        found["score"] = (3 * found["score"] + found["sentiment_macro_f1"]) / 4  # each task counts alike
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
        inside = (batch.labels.intent != outside) & (batch.labels.intent != NO_INTENT)
        features.append(network.features(leave(batch), batch.attention_mask)[inside])
        groups.append((batch.labels.intent * len(labels.category) + batch.labels.category)[inside])
    network.familiarity.fit(torch.cat(features), torch.cat(groups))
