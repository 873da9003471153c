"""What an order is worth, on cases small enough to know the answer."""

import math

import numpy as np
import pytest

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.intent.v1.intent_pb2 import LabelProbability
from services.ranking.columns import read_products
from services.ranking.features import FEATURES, Inputs
from services.ranking.history_pairs import no_pairs
from services.ranking.model import FUSED, LAMBDAMART, LINEAR
from services.ranking.objectives import Predictions, Weights
from services.ranking.policy import IntentWeights, SurfacePolicy
from services.ranking.settings import RankingSettings
from tests.ranking.builders import products
from training.evaluate.ranking.cases import ANONYMOUS, Case
from training.evaluate.ranking.comparison import BEST, SERVED, agreement, compare, ratios
from training.evaluate.ranking.sweeps import blends, by_intent, diversities
from training.evaluate.ranking.truth import Truth
from training.evaluate.ranking.worth import fused_order, pareto, weighed_order, worth

CLICKS = np.array([0.1, 0.2, 0.4])


def predictions(click: list[float]) -> Predictions:
    values = np.array(click, dtype=np.float32)
    return Predictions(click=values, conversion=values, relevance=values)


def case(intent: str = "browse") -> Case:
    """Three candidates: retrieval's order is that of relevance, the last one is clicked and bought most."""
    return Case(
        request_id="r",
        seconds=1_800_000_000,
        fused=np.array([3.0, 2.0, 1.0]),
        inputs=Inputs(np.zeros((3, len(FEATURES)), dtype=np.float32), no_pairs(3)),
        others={
            FUSED: predictions([1, 1, 1]),
            LINEAR: predictions([0.1, 0.9, 0.5]),
            LAMBDAMART: predictions([0.1, 0.5, 0.9]),
            ANONYMOUS: predictions([0.9, 0.1, 0.5]),
        },
        predictions=Predictions(
            click=CLICKS.astype(np.float32),
            conversion=np.array([0.1, 0.1, 0.5], dtype=np.float32),
            relevance=np.array([0.9, 0.5, 0.1], dtype=np.float32),
        ),
        familiarity=1.0,
        products=read_products(products(3, categories=["a/x", "a/x", "b/y"], brands=["n", "n", "m"])),
        intents=[LabelProbability(label=intent, probability=1.0)],
        truth=Truth(np.array([1.0, 0.5, 0.0]), CLICKS, np.array([0.1, 0.1, 0.5])),
    )


def test_worth_is_what_a_shopper_who_looks_from_the_top_does() -> None:
    found = worth([case()], fused_order)
    seen = np.arange(1, 4) ** -0.55
    assert found.ndcg == pytest.approx(1.0)
    assert found.clicks == pytest.approx(float(seen @ CLICKS))
    assert found.purchases == pytest.approx(float(seen @ (CLICKS * [0.1, 0.1, 0.5])))
    assert (found.categories, found.brands) == (2.0, 2.0)


def test_more_weight_on_clicks_brings_more_of_them_and_less_relevance() -> None:
    relevant = worth([case()], weighed_order(Weights(fused=0, relevance=1, click=0, conversion=0)))
    clicked = worth([case()], weighed_order(Weights(fused=0, relevance=0, click=1, conversion=0)))
    assert clicked.clicks > relevant.clicks
    assert clicked.ndcg < relevant.ndcg
    ideal = 1 + 0.5 / math.log2(3)
    assert clicked.ndcg == pytest.approx((0.5 / math.log2(3) + 1 / 2) / ideal)


def test_pareto_keeps_what_nothing_else_beats() -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.5], [0.5, 0.5]])
    assert pareto(values).tolist() == [True, True, True, False, True]


def test_blends_hold_the_fused_and_the_served_order_and_a_grid_with_its_best() -> None:
    tried = blends([case()], RankingSettings().search)
    assert [each.name for each in tried[:2]] == ["fused", "served"]
    assert any(each.best for each in tried[2:])
    assert len(tried) == 2 + 3 * 2 * 5 * 4


def test_diversity_is_tried_with_the_weights_that_are_served() -> None:
    tried = diversities([case()], RankingSettings().home)
    assert [each.name for each in tried if each.best] == ["strength 0.3"]


def test_cases_are_parted_by_intent() -> None:
    parted = by_intent([case("browse"), case("purchase"), case("browse")])
    assert {intent: len(cases) for intent, cases in parted.items()} == {"browse": 2, "purchase": 1}


def test_query_between_two_intents_is_weighed_between_them() -> None:
    policy = SurfacePolicy(conversion=0.2, intents={"purchase": IntentWeights(conversion=1.0)})
    between = [
        LabelProbability(label="purchase", probability=0.25),
        LabelProbability(label="browse", probability=0.75),
    ]
    weights = policy.weights(between, ObjectiveWeights(click=0.0))
    assert weights.conversion == pytest.approx(0.4)
    assert weights.click == 0.0
    assert weights.relevance == policy.relevance


def test_baselines_are_compared_by_what_users_would_click() -> None:
    tried = {each.name: each.worth for each in compare([case()], SurfacePolicy())}
    best = tried[BEST].appeal_ndcg
    assert best == 1.0
    discounts = 1 / np.log2([2, 3, 4])
    expected = CLICKS @ discounts / (CLICKS[::-1] @ discounts)
    assert tried[FUSED].appeal_ndcg == pytest.approx(expected)  # retrieval's order is the worst one
    assert tried[LAMBDAMART].appeal_ndcg == best
    found = ratios(compare([case()], SurfacePolicy()))
    assert found[LAMBDAMART] == pytest.approx(tried[SERVED].appeal_ndcg / best)


def test_agreement_is_that_of_pairs() -> None:
    right = np.array([0.1, 0.2, 0.3])
    assert agreement([case(), case()], [right, right[::-1]]) == pytest.approx(0.0)
    assert agreement([case()], [np.array([0.2, 0.1, 0.3])]) == pytest.approx(1 / 3)
