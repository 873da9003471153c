"""Every published model that ranking can serve keeps one contract."""

from pathlib import Path

import numpy as np
import pytest

from aisle.ranking.v1.ranking_pb2 import RankRequest
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.ranking.features import Inputs, compute
from services.ranking.model import BASELINES, FUSED, MODEL, RankingModel
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings
from tests.ranking.builders import NOW, rich_request


def opened(models_root: Path, name: str) -> RankingModel:
    settings = InferenceSettings(models=models_root, provider="cpu")
    return RankingModel.open(ModelStore(models_root), settings, name=name)


def inputs_of(request: RankRequest) -> Inputs:
    return compute(
        request.candidates,
        request.understanding,
        request.user,
        request.history,
        surface=request.surface,
        now_seconds=NOW,
    )


@pytest.mark.parametrize("name", [MODEL, *BASELINES])
@pytest.mark.parametrize("rows", [1, 200])
def test_every_model_gives_three_probabilities_per_candidate(models_root: Path, name: str, rows: int) -> None:
    predictions = opened(models_root, name).predict(inputs_of(rich_request(rows)))
    for found in vars(predictions).values():
        assert found.shape == (rows,) and found.dtype == np.float32
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("name", [MODEL, *BASELINES])
async def test_every_model_is_served_explained_and_named(models_root: Path, name: str) -> None:
    settings = RankingSettings(models=models_root, model=name)
    service = RankingService(opened(models_root, name), settings)
    request = rich_request(40)
    request.explain = 5
    answer = await service.Rank(request, None)
    assert sorted(answer.order) == list(range(40))
    assert [model.name for model in answer.models] == [name]
    for score, explanation in zip(answer.scores, answer.explanations, strict=False):
        assert sum(part.value for part in explanation.contributions) == pytest.approx(score, abs=1e-3)


async def test_model_of_no_difference_leaves_the_fused_order(models_root: Path) -> None:
    settings = RankingSettings(models=models_root, model="ranker-fused")
    answer = await RankingService(opened(models_root, FUSED), settings).Rank(rich_request(40), None)
    assert list(answer.order) == list(range(40))


def test_history_moves_the_ranker_and_its_absence_does_not(models_root: Path) -> None:
    model, request = opened(models_root, MODEL), rich_request(60)
    known = model.predict(inputs_of(request)).click
    request.ClearField("user")
    unknown = model.predict(inputs_of(request)).click
    request.ClearField("history")
    assert not np.allclose(known, unknown, atol=1e-4)
    np.testing.assert_array_equal(unknown, model.predict(inputs_of(request)).click)


def test_unpublished_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError):
        opened(tmp_path, FUSED)
