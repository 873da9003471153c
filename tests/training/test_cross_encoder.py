"""The cross-encoder from questions to a published teacher, on a tiny encoder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.ranking.pairs import CROSS_ENCODER, Calibration, pair_text
from tests.training.tiny import tiny_base
from training.base_models import BaseModel
from training.cross_encoder.build import Order, build
from training.cross_encoder.calibrate import calibrated, error
from training.cross_encoder.fit import listwise_loss
from training.cross_encoder.questions import Floats, Question, ask, demo_searches, found, own_words
from training.cross_encoder.recipe import Recipe
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main as make_shop
from training.retriever.build import Order as RetrieverOrder
from training.retriever.build import build as build_retriever
from training.retriever.recipe import Recipe as RetrieverRecipe
from training.retriever.teacher import Teacher

TINY = Recipe(
    layers=2, trainable_layers=2, epochs=2, steps_per_epoch=30, questions=8, candidates=6, tokens=48,
    learning_rate=1e-3, head_rate=1e-2, validation_questions=20,
)  # fmt: skip
RETRIEVER = RetrieverRecipe(
    trainable_layers=2, epochs=1, steps_per_epoch=40, batch=16, passage_tokens=24, learning_rate=1e-3,
    validation_pool=60, validation_twins=15,
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    folder = tmp_path_factory.mktemp("shop") / "shop"
    make_shop(["--out", str(folder), "--products", "200", "--users", "4", "--wishes", "300"])
    return load(folder)


def base_of(shop: DemoShop) -> BaseModel:
    return tiny_base(" ".join(f"{product.title['en']} {product.title['zh']}" for product in shop.products))


def alike(queries: Sequence[str], passages: Sequence[str]) -> tuple[Floats, Floats]:
    """Embeddings by which everything is as near as anything else, but for the order of the passages."""
    return np.ones((len(queries), 1), np.float32), np.linspace(1, 0, len(passages), dtype=np.float32)[:, None]


def test_questions_hold_an_answer_and_what_is_near_graded_by_the_shop(shop: DemoShop) -> None:
    shelf = demo_searches(shop, "train")
    for question in ask(shelf, [0, 1, 2], alike, 6, np.random.default_rng(0)):
        assert len(question.passages) == len(question.grades) == 6
        assert max(question.grades) == 1
        assert list(question.nearness) == sorted(question.nearness, reverse=True)
    (question,) = found(shelf, [0], alike, 5)
    assert list(question.passages) == list(shelf.passages[:5])


def test_own_words_pair_a_title_with_what_else_is_said_of_the_same_goods(shop: DemoShop) -> None:
    shelf = own_words(shop, [])[0]
    product = next(each for each in shop.products if each.title["zh"] == shelf.queries[0])
    answers = [shelf.passages[row] for row in np.flatnonzero(shelf.grades(0) == 1).tolist()]
    assert any(product.title["en"] in text for text in answers)
    assert not any(product.title["zh"] in text for text in shelf.passages)


def test_the_loss_is_least_for_the_order_of_the_grades() -> None:
    grades = torch.tensor([[1.0, 0.5, 0.0]])
    right, wrong = torch.tensor([[6.0, 3.0, 0.0]]), torch.tensor([[0.0, 3.0, 6.0]])
    assert listwise_loss(right, grades, 6.0) < listwise_loss(wrong, grades, 6.0)
    assert listwise_loss(right, grades, 6.0) < listwise_loss(right * 2, grades, 6.0)


def test_what_is_published_scores_pairs_and_teaches_the_retriever(shop: DemoShop, tmp_path: Path) -> None:
    store, runs = ModelStore(tmp_path / "models"), tmp_path / "runs"
    with pytest.raises(StartupError):
        Teacher(store)
    first = RetrieverOrder(base_of(shop), shop, [], RETRIEVER, "full", 0)
    build_retriever(first, store, runs=runs)
    order = Order(base_of(shop), shop, [], TINY, seed=0, cache=tmp_path / "cache")
    manifest = build(order, store, runs=runs)
    assert 0 < manifest.evaluation["ndcg@10"] <= 1
    assert 0 <= manifest.evaluation["calibration_error"] <= 1
    assert manifest.max_tokens == TINY.tokens
    assert build(replace(order, base=base_of(shop)), store, runs=runs).version == manifest.version

    model = TextModel.open(store, CROSS_ENCODER, InferenceSettings(models=store.root))
    texts = [
        pair_text(model.manifest, "red shirt", "a red shirt"),
        pair_text(model.manifest, "red shirt", "x"),
    ]
    scores = [float(result.outputs["score"]) for result in model.run_sync(texts)]
    logits = Teacher(store).logits(
        ["red shirt", "other"],
        ["a red shirt", "x"],
        torch.tensor([[True, True], [False, True]]),  # the second list has one member
    )
    assert logits[0].tolist() == pytest.approx(scores, abs=1e-5)
    assert logits[1].isnan().all()

    recipe = replace(
        RETRIEVER, hard_negatives=2, mining_pool=60, distillation=1.0, multi_positive=True, dimensions=(16, 8)
    )
    taught = RetrieverOrder(base_of(shop), shop, [], recipe, "full", 0, Teacher(store), dimension=16)
    built = build_retriever(taught, store, runs=runs, force="the test wants it")
    assert built.manifest.dimension == 16
    served = TextModel.open(store, "retriever", InferenceSettings(models=store.root)).run_sync(["red shirt"])
    embedding = served[0].outputs["embedding"]
    assert embedding.shape == (16,) and np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)
    assert not list((runs / "retriever").glob("negatives-*"))


def test_calibration_finds_the_shares_that_logits_stand_for() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(40, 50)).astype(np.float32)
    grades = Calibration(slope=2.0, intercept=-1.0).probabilities(logits)
    questions = [Question("q", ["p"] * 50, row.tolist(), row.tolist()) for row in grades]
    fitted = calibrated(list(logits), questions)
    assert (fitted.slope, fitted.intercept) == pytest.approx((2.0, -1.0), abs=0.02)
    assert error(fitted, list(logits), questions) < 0.01
    assert error(Calibration(slope=2.0, intercept=1.0), list(logits), questions) > 0.2
    backwards = calibrated(list(-logits), questions)
    assert backwards.slope > 0


def test_distilling_without_a_teacher_or_negatives_is_refused(shop: DemoShop, tmp_path: Path) -> None:
    recipe = replace(RETRIEVER, distillation=1.0, hard_negatives=2)
    order = RetrieverOrder(base_of(shop), shop, [], recipe, "full", 0)
    with pytest.raises(ValueError, match="teacher"):
        build_retriever(order, ModelStore(tmp_path / "models"), runs=tmp_path / "runs")
