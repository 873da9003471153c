"""Training the cross-encoder with the loop all models share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from services.ranking.pairs import CROSS_ENCODER, pair_text
from training.base_models import BaseModel
from training.cross_encoder.model import CrossEncoder, keep_lower
from training.cross_encoder.questions import Floats, Question
from training.cross_encoder.recipe import Recipe
from training.evaluate.metrics import ndcg_at_10
from training.finetuning import prepare
from training.loop import Outcome, ParameterGroup, Schedule, Task, train
from training.retriever.embedder import tokenise

CHOSEN_BY = "ndcg@10"


@dataclass(frozen=True)
class Batch:
    """`pairs`: ids and masks, int64 [lists · members, tokens]; `grades`: float32 [lists, members]."""

    pairs: dict[str, Tensor]
    grades: Tensor


def listwise_loss(scores: Tensor, grades: Tensor, sharpness: float) -> Tensor:
    """Mean cross-entropy between what grades and scores say is best, scalar; both float32 [lists, members].

    ListNet's top-one loss (Cao et al., ICML 2007) with `sharpness` · grade as the wanted logits.
    """
    wanted = functional.softmax(sharpness * grades, dim=1)
    return -(wanted * functional.log_softmax(scores, dim=1)).sum(dim=1).mean()


def fit(
    base: BaseModel,
    questions: Sequence[Question],
    validation: Sequence[Question],
    recipe: Recipe,
    *,
    seed: int,
    identity: Mapping[str, object],
    runs: Path = Path("runs"),
) -> tuple[CrossEncoder, Outcome]:
    """Train the lower layers of `base`, in place; nDCG@10 on `validation` chooses the epoch.

    All `questions` have as many candidates; the run is resumed as `training.loop.train` tells.
    """
    torch.manual_seed(seed)
    encoder = keep_lower(base.encoder, recipe.layers)
    model = CrossEncoder(
        prepare(encoder, "full", min(recipe.trainable_layers, encoder.config.num_hidden_layers)),
        base.dimension,
    )
    task = Task(
        module=model,
        groups=[
            ParameterGroup(list(model.encoder.parameters()), recipe.learning_rate),
            ParameterGroup(list(model.head.parameters()), recipe.head_rate),
        ],
        batches=lambda epoch: _batches(base, questions, recipe, np.random.default_rng([seed, epoch])),
        steps_per_epoch=recipe.steps_per_epoch,
        loss=lambda batch: listwise_loss(
            model(**batch.pairs).view_as(batch.grades), batch.grades, recipe.sharpness
        ),
        validate=lambda: figures(model, base, validation, recipe.tokens),
        choose_by=CHOSEN_BY,
    )
    schedule = Schedule(epochs=recipe.epochs, seed=seed, checkpoint_steps=20)
    outcome = train(task, schedule, name=CROSS_ENCODER, recipe=identity, runs=runs)
    return model.eval(), outcome


def figures(
    model: CrossEncoder, base: BaseModel, questions: Sequence[Question], tokens: int
) -> dict[str, float]:
    """Mean nDCG@10 of the candidates in the model's order and, as "retriever/…", in the retriever's."""
    by_model, by_retriever = [], []
    for question, scores in zip(questions, logits(model, base, questions, tokens), strict=True):
        by_model.append(_ndcg(question, np.argsort(-scores, kind="stable").tolist()))
        by_retriever.append(_ndcg(question, range(len(question.grades))))
    return {"ndcg@10": float(np.mean(by_model)), "retriever/ndcg@10": float(np.mean(by_retriever))}


def logits(model: CrossEncoder, base: BaseModel, questions: Sequence[Question], tokens: int) -> list[Floats]:
    """What the model says of each question's candidates, float32 [candidates] each."""
    with torch.no_grad():
        return [model(**_tokens(base, [question], tokens)).numpy() for question in questions]


def _ndcg(question: Question, order: Sequence[int]) -> float:
    gains = {str(row): grade for row, grade in enumerate(question.grades)}
    return ndcg_at_10([str(row) for row in order], gains)


def _batches(
    base: BaseModel, questions: Sequence[Question], recipe: Recipe, random: np.random.Generator
) -> Iterator[Batch]:
    wanted = recipe.steps_per_epoch * recipe.questions
    rows = [
        row
        for _ in range(-(-wanted // len(questions)))
        for row in random.permutation(len(questions)).tolist()
    ]
    for start in range(0, wanted, recipe.questions):
        drawn = [questions[row] for row in rows[start : start + recipe.questions]]
        grades = torch.tensor([question.grades for question in drawn], dtype=torch.float32)
        yield Batch(_tokens(base, drawn, recipe.tokens), grades)


def _tokens(base: BaseModel, questions: Sequence[Question], tokens: int) -> dict[str, Tensor]:
    texts = [pair_text(base, each.query, passage) for each in questions for passage in each.passages]
    return tokenise(base.tokenizer, texts, tokens)
