"""Explanations of scores by the published model."""

from pathlib import Path
from typing import Any

import pytest

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, Surface
from runtime.inference.store import ModelStore
from runtime.serving.errors import InvalidArgument
from services.ranking.explanation.groups import GROUPS, columns, group_of
from services.ranking.features import FEATURES, SURFACE_FEATURES
from services.ranking.model import RankingModel
from services.ranking.rules.live import LiveRules
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from tests.ranking.builders import products, rich_request, understanding

KNOWN = "clothing/t-shirt"


@pytest.fixture(scope="module")
def model(models_root: Path) -> RankingModel:
    settings = RankingSettings(models=models_root)
    return RankingModel.open(ModelStore(models_root), settings)


def service(model: RankingModel, rules: Path | None = None, **settings: Any) -> RankingService:
    return RankingService(model, RankingSettings(**settings), LiveRules(rules))


def known_request(n: int, seed: int = 0, **fields: Any) -> RankRequest:
    """A request whose candidates are mostly of categories the model knows."""
    request = rich_request(n, seed)
    categories = request.candidates.products.categories
    categories.values[:] = [KNOWN, "clothing/dress", "shoes/boots"][: len(categories.values)]
    request.MergeFrom(RankRequest(**fields))
    return request


def test_every_feature_that_can_differ_between_candidates_belongs_to_one_group() -> None:
    assert {feature for feature in FEATURES if not group_of(feature)} == set(SURFACE_FEATURES)
    held = [column for group in columns().values() for column in group.tolist()]
    assert len(held) == len(set(held)) == len(FEATURES) - len(SURFACE_FEATURES)


@pytest.mark.parametrize("surface", [Surface.SURFACE_SEARCH, Surface.SURFACE_HOME, Surface.SURFACE_SIMILAR])
async def test_contributions_add_up_to_the_score(
    model: RankingModel, tmp_path: Path, surface: "Surface.ValueType"
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules: [{id: own, boost: {brands: [acme], by: 0.7}}, {id: out, bury: {brands: [umbra], by: 2}}]"
    )
    ranking, explained, ruled = service(model, rules), 0, 0
    for seed in range(12):
        answer = await ranking.Rank(known_request(60, seed, explain=30, surface=surface), None)
        for score, explanation in zip(answer.scores, answer.explanations, strict=False):
            assert sum(part.value for part in explanation.contributions) == pytest.approx(score, abs=1e-3)
            assert {part.feature_group for part in explanation.contributions} <= {*GROUPS, "average", "rules"}
            explained += 1
            ruled += any(part.objective == "rules" for part in explanation.contributions)
    assert explained == 12 * 30
    assert ruled


async def test_group_that_is_the_same_for_all_contributes_nothing(model: RankingModel) -> None:
    request = known_request(20, explain=5)
    request.ClearField("user")
    request.ClearField("history")
    answer = await service(model).Rank(request, None)
    groups = {part.feature_group for each in answer.explanations for part in each.contributions}
    assert "taste" not in groups
    assert {"retrieval", "query"} <= groups


async def test_nothing_is_explained_unasked(model: RankingModel) -> None:
    answer = await service(model).Rank(known_request(20), None)
    assert not answer.explanations
    assert "ranking/explain" not in {each.stage for each in answer.stages}


async def test_explained_order_is_the_same_order(model: RankingModel) -> None:
    plain = await service(model).Rank(known_request(50), None)
    explained = await service(model).Rank(known_request(50, explain=50), None)
    assert list(plain.order) == list(explained.order)
    assert len(explained.explanations) == 50


@pytest.mark.parametrize(
    ("language", "query", "chinese"),
    [("zh", "en", True), ("en", "zh", False), ("", "zh", True), ("", "und", False)],
)
async def test_reasons_are_in_the_language_asked_for_or_the_query_s(
    model: RankingModel, language: str, query: str, chinese: bool
) -> None:
    request = known_request(30, explain=3, language=language)
    request.understanding.language = query
    answer = await service(model).Rank(request, None)
    for explanation in answer.explanations:
        assert explanation.reasons
        assert all((max(reason) >= "一") is chinese for reason in explanation.reasons)
        assert any("2" in reason or "3" in reason or "1" in reason for reason in explanation.reasons)


async def test_moves_are_told_in_words(model: RankingModel, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{id: sale, pin: {products: [p19], position: 2}}]")
    answer = await service(model, rules).Rank(known_request(20, explain=2), None)
    assert answer.order[1] == 19
    assert "Rule sale pins it to position 2" in answer.explanations[1].reasons
    assert [(each.rule, each.products) for each in answer.rules] == [("sale", 1)]
    assert [(each.place, each.moves[0].rule) for each in answer.moves] == [(1, "sale")]


async def test_hidden_products_are_counted_and_left_out(model: RankingModel, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{id: recall, hide: {products: [p3, p4]}}]")
    answer = await service(model, rules).Rank(known_request(20), None)
    assert answer.hidden == 2
    assert sorted(answer.order) == [row for row in range(20) if row not in (3, 4)]


ONLY_CLICKS = {"fused": 0.0, "relevance": 0.0, "click": 1.0, "conversion": 0.0}


def by_clicks(answer: RankResponse) -> bool:
    clicks = list(answer.click_probabilities)
    return clicks == sorted(clicks, reverse=True)


async def test_request_may_weigh_the_objectives_its_own_way(model: RankingModel) -> None:
    request = known_request(50, weights=ObjectiveWeights(**ONLY_CLICKS))
    request.candidates.products.categories.indices[:] = [0] * 50
    assert by_clicks(await service(model).Rank(request, None))
    request.ClearField("weights")
    assert not by_clicks(await service(model).Rank(request, None))


@pytest.mark.parametrize(
    ("weights", "fields"),
    [
        ({"click": 2.1}, {"weights.click": "must be 0 to its limit 2, got 2.1"}),
        ({"fused": -0.1}, {"weights.fused": "must be 0 to its limit 2, got -0.1"}),
        ({"conversion": float("nan")}, {"weights.conversion": "must be 0 to its limit 2, got nan"}),
        (dict.fromkeys(ONLY_CLICKS, 0.0), {"weights": "must leave one weight above 0"}),
    ],
)
async def test_weight_beyond_its_limit_is_refused(
    model: RankingModel, weights: dict[str, float], fields: dict[str, str]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await service(model).Rank(known_request(5, weights=ObjectiveWeights(**weights)), None)
    assert caught.value.fields == fields


async def test_intents_weigh_the_objectives_by_their_probability(model: RankingModel) -> None:
    search = {"intents": {"purchase": {**ONLY_CLICKS}}}
    request = known_request(50)
    request.candidates.products.categories.indices[:] = [0] * 50
    request.understanding.CopyFrom(understanding(categories={KNOWN: 1.0}))
    assert by_clicks(await service(model, search=search).Rank(request, None))
    request.understanding.intents[0].label = "browse"
    assert not by_clicks(await service(model, search=search).Rank(request, None))


async def test_candidate_named_twice_is_refused(model: RankingModel) -> None:
    request = RankRequest()
    request.candidates.CopyFrom(rich_request(3).candidates)
    request.candidates.products.CopyFrom(products(3, ids=["a", "b", "a"]))
    with pytest.raises(InvalidArgument, match="must hold each id once"):
        await service(model).Rank(request, None)
