"""The ranker's training, on logs small enough to know the answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aisle.catalog.v1.user_pb2 import EventType
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.ranking.features import FEATURES, Inputs
from services.ranking.history_pairs import PAIRS, no_pairs
from services.ranking.model import LAMBDAMART, LINEAR, MODEL, RankingModel
from training.demo_shop import PastEvent, Request, User
from training.ranker.absence import hide
from training.ranker.baselines import LinearRelevance
from training.ranker.dataset import Rows
from training.ranker.evaluation import evaluate, predict, predict_inputs
from training.ranker.figures import auc, calibration_error, mean_ndcg
from training.ranker.fit import Learner, fit
from training.ranker.histories import histories
from training.ranker.lambdamart import Scale, fit_lambdamart
from training.ranker.losses import Labels, listwise_loss, multi_task_loss
from training.ranker.model import TASKS, Examination, Ranker
from training.ranker.publication import GUARDED, Publication

SHOWN, HISTORY = 10, 5
SIGNAL = FEATURES.index("slots_matched")


def log(requests: int, seed: int) -> Rows:
    """A log with known truth: clicks and purchases depend on one feature, and clicks on the position too.

    What was shown above is not the better: positions are random, so that only examination falls with them.
    """
    rng = np.random.default_rng(seed)
    n = requests * SHOWN
    features = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    signal = features[:, SIGNAL]
    positions = np.tile(np.arange(1, SHOWN + 1), requests)
    examination = positions**-0.7
    # Half of the rows' users have bought two products of the brand: what only attention can see.
    pairs = np.zeros((n, len(PAIRS), HISTORY), dtype=np.uint8)
    pairs[:, PAIRS.index("present")] = 1
    liked = rng.random(n) < 0.5
    pairs[liked, PAIRS.index("same_brand"), :2] = 1
    attractiveness = 1 / (1 + np.exp(2.0 - 1.5 * signal - 2.0 * liked))
    conversions = 1 / (1 + np.exp(1.0 + signal))
    clicks = rng.random(n) < examination * attractiveness
    purchases = clicks & (rng.random(n) < conversions)
    values = {
        "clicks": clicks,
        "purchases": purchases,
        "grades": signal > 0.5,
        "attractiveness": attractiveness,
        "examination": examination,
        "conversions": conversions,
    }
    return Rows(
        features=features,
        pairs=pairs,
        requests=np.repeat(np.arange(requests), SHOWN),
        positions=positions,
        **{name: each.astype(np.float32) for name, each in values.items()},
    )


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    runs = tmp_path_factory.mktemp("runs")
    learner, _ = fit(log(3000, seed=1), log(400, seed=2), epochs=6, seed=7, recipe={}, runs=runs)
    return learner


def test_clicks_and_purchases_are_predicted_nearly_as_well_as_the_truth_does(learner: Learner) -> None:
    figures = evaluate(learner, log(2000, seed=3))
    for name, gap in (("pctr_auc", 0.02), ("pctr_position_auc", 0.02), ("pcvr_auc", 0.05)):
        assert figures[name] > figures[f"{name}_truth"] - gap
    assert figures["pctr_position_ece"] < 0.02
    assert figures["relevance_ndcg@10"] > 0.97


def test_position_bias_is_explained_by_position_and_not_by_the_product(learner: Learner) -> None:
    with torch.no_grad():
        propensities = torch.exp(learner.examination(torch.arange(1, SHOWN + 1))).numpy()
    np.testing.assert_allclose(propensities, np.arange(1, SHOWN + 1) ** -0.7, atol=0.08)


def test_what_only_the_single_products_of_the_history_tell_is_learned(learner: Learner) -> None:
    rows = log(300, seed=5)
    liked = rows.pairs[:, PAIRS.index("same_brand"), 0] > 0
    known = predict(learner, rows).click
    unknown = predict_inputs(learner, Inputs(rows.features, no_pairs(len(rows)))).click
    assert known[liked].mean() > 1.5 * known[~liked].mean()
    assert unknown[liked].mean() == pytest.approx(unknown[~liked].mean(), abs=0.03)


def publication(store: ModelStore, rows: Rows) -> Publication:
    return Publication(store, rows, categories=["clothing/t-shirt"], recipe={}, fingerprint="f", force="")


def opened(store: ModelStore, name: str = MODEL) -> RankingModel:
    return RankingModel.open(store, InferenceSettings(models=store.root, provider="cpu"), name=name)


def test_published_ranker_is_served_with_the_predictions_it_was_trained_to_give(
    learner: Learner, tmp_path: Path
) -> None:
    rows, store = log(400, seed=4), ModelStore(tmp_path)
    stored = publication(store, rows).ranker(learner, dict.fromkeys(GUARDED, 0.5))
    assert set(stored.manifest.graphs) == {"fp32", "fp16"}
    served = opened(store)
    assert served.categories == {"clothing/t-shirt"}
    expected, found = predict(learner, rows), served.predict(Inputs(rows.features, rows.pairs))
    for task in TASKS:
        np.testing.assert_allclose(getattr(found, task), getattr(expected, task), atol=1e-5)


def test_published_baselines_order_as_they_were_fitted_to(tmp_path: Path) -> None:
    rows, store = log(200, seed=4), ModelStore(tmp_path)
    booster = fit_lambdamart(rows, seed=7, trees=5)
    scale, linear = Scale.of(booster, rows), LinearRelevance(rows)
    publication(store, rows).lambdamart(booster, scale, {})
    publication(store, rows).module(LINEAR, linear, {})
    some = rows.chosen(np.arange(50))
    inputs = Inputs(some.features, some.pairs)
    trees, line = opened(store, LAMBDAMART).predict(inputs), opened(store, LINEAR).predict(inputs)
    logs = np.log(trees.click) - np.asarray(booster.predict(some.features)) / scale.unit
    np.testing.assert_allclose(logs, logs[0], atol=1e-4)
    assert np.corrcoef(line.relevance, some.features[:, SIGNAL])[0, 1] > 0.8
    for found in (trees, line):
        assert (found.click == found.relevance).all() and (found.click == found.conversion).all()


def test_epoch_with_the_least_validation_loss_is_kept(tmp_path: Path) -> None:
    learner, outcome = fit(log(200, seed=1), log(100, seed=2), epochs=3, seed=7, recipe={}, runs=tmp_path)
    losses = [row["held_out_loss"] for row in outcome.history]
    assert outcome.history[outcome.best_epoch]["held_out_loss"] == min(losses)
    assert not learner.training


def test_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for run in ("a", "b"):
        learner, _ = fit(log(100, 1), log(50, 2), epochs=1, seed=7, recipe={}, runs=tmp_path / run)
        weights.append(torch.cat([each.flatten() for each in learner.parameters()]))
    assert torch.equal(*weights)


def test_purchases_train_conversion_on_rows_nobody_clicked() -> None:
    """ESMM: a row nobody clicked is no purchase either, and says a little about conversion."""
    logits = {task: torch.zeros(2, requires_grad=True) for task in TASKS}
    labels = Labels(
        requests=torch.tensor([0, 0]),
        positions=torch.tensor([1, 1]),
        clicks=torch.tensor([1.0, 0.0]),
        purchases=torch.tensor([1.0, 0.0]),
        grades=torch.full((2,), float("nan")),
    )
    loss = multi_task_loss(logits, torch.zeros(2), labels)
    clicked, unclicked = torch.autograd.grad(loss, logits["conversion"])[0].tolist()
    assert clicked < 0 < unclicked < -clicked


def test_rows_never_shown_teach_relevance_only() -> None:
    logits = {task: torch.zeros(1, requires_grad=True) for task in TASKS}
    labels = Labels(torch.tensor([0]), torch.tensor([0]), torch.zeros(1), torch.zeros(1), torch.ones(1))
    loss = multi_task_loss(logits, torch.zeros(1), labels)
    gradients = torch.autograd.grad(loss, list(logits.values()), allow_unused=True)
    assert [each is not None and bool(each.any()) for each in gradients] == [False, False, True]


def test_listwise_loss_is_least_where_probabilities_are_the_grades_of_each_request() -> None:
    grades, requests = torch.tensor([1.0, 0.5, 0.2, 0.8, 0.0]), torch.tensor([3, 3, 7, 7, 9])
    right = torch.logit(grades, eps=1e-4)
    least = listwise_loss(right, grades, requests)
    for other in (right.flip(0), right + torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])):
        assert listwise_loss(other, grades, requests) > least + 0.005
    # Its scale in one request is free, and a request of no relevance says nothing.
    halved = torch.logit(grades * torch.tensor([0.5, 0.5, 1, 1, 1]), eps=1e-4)
    assert listwise_loss(halved, grades, requests) == pytest.approx(float(least), abs=1e-3)
    assert listwise_loss(right[4:], grades[4:], requests[4:]) == 0


def test_propensities_fall_from_one_at_the_first_position() -> None:
    logs = Examination(5)(torch.tensor([1, 2, 3, 5, 99]))
    assert logs[0] == 0
    assert (logs.diff()[:3] < 0).all() and logs[3] == logs[4]


def test_feature_that_never_varied_in_training_cannot_matter_later() -> None:
    features = torch.randn(50, len(FEATURES))
    features[:, 1] = 0.7
    pairs = torch.ones(50, len(PAIRS), 1, dtype=torch.uint8)
    ranker = Ranker(features, pairs).eval()
    changed = features.clone()
    changed[:, 1] = 1e6
    for task, logits in ranker(features, pairs.float()).items():
        assert torch.equal(logits, ranker(changed, pairs.float())[task])


def test_hidden_groups_are_neutral_and_flagged() -> None:
    features = torch.ones(4000, len(FEATURES))
    pairs = torch.ones(4000, len(PAIRS), 2, dtype=torch.uint8)
    hidden, related = hide(features, pairs, torch.Generator().manual_seed(1))
    anonymous = hidden[:, FEATURES.index("history_known")] == 0
    assert torch.equal(anonymous, ~related.bool().any(dim=2).any(dim=1))
    assert 0.07 < anonymous.float().mean().item() < 0.13
    understood, matched = hidden[:, FEATURES.index("understood")], hidden[:, SIGNAL]
    assert torch.equal(understood, matched)
    assert 0.1 < 1 - understood.mean().item() < 0.2
    missing = hidden[:, FEATURES.index("price_log")] == 0
    assert missing.any() and (hidden[missing, FEATURES.index("price_missing")] == 1).all()
    assert torch.equal(features, torch.ones_like(features))


def request(number: int, seconds: int, products: str, acts: str) -> Request:
    """Acts by row: "." nothing, "c" clicked, "k" carted too, "p" purchased too."""
    k = len(products)
    zeros = np.zeros(k, dtype=np.float32)
    return Request(
        id=f"r{number}",
        session_id="s",
        user_id="u",
        query_id="q",
        split="train",
        event_seconds=seconds,
        product_ids=tuple(products),
        clicked=np.array([act in "ckp" for act in acts]),
        carted=np.array([act in "kp" for act in acts]),
        purchased=np.array([act == "p" for act in acts]),
        relevance=zeros,
        attractiveness=zeros,
        examination=zeros,
        conversion_probability=zeros,
    )


def someone(*history: PastEvent) -> User:
    return User(
        id="u",
        split="train",
        language="en",
        activity=1.0,
        interests={},
        brands={},
        attributes={},
        price_level=0.5,
        price_weight=1.0,
        history=history,
    )


def test_history_holds_only_what_happened_before_newest_first_with_the_strongest_act() -> None:
    log = [request(3, 300, "ae", "cc"), request(1, 100, "abc", "pc."), request(2, 200, "ad", "ck")]
    contexts = histories(log, {"u": someone(PastEvent("b", "cart", 50), PastEvent("z", "click", 60))})
    assert [item.product_id for item in contexts["r1"].history] == ["z", "b"]
    kinds = [(item.product_id, item.type, item.event_seconds) for item in contexts["r3"].history]
    assert kinds == [
        ("d", EventType.EVENT_TYPE_CART, 200),
        ("a", EventType.EVENT_TYPE_PURCHASE, 200),
        ("b", EventType.EVENT_TYPE_CART, 100),
        ("z", EventType.EVENT_TYPE_CLICK, 60),
    ]


def test_figures_by_hand() -> None:
    labels = np.array([0, 1, 0, 1])
    assert auc(labels, np.array([0.1, 0.4, 0.35, 0.8])) == 1.0
    assert calibration_error(np.array([0.0, 1.0]), np.array([0.2, 0.6])) == pytest.approx(0.3)
    requests, grades = np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 0.0, 0.0])
    expected = 1 / np.log2(3)  # the second request has nothing relevant and does not count
    assert mean_ndcg(requests, grades, np.array([2.0, 1.0, 1.0, 2.0])) == pytest.approx(expected)
