"""The collaborative channel: a published model served beside the other channels of a catalogue."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.retrieval.collaborative import ITEMS_FILE, MODEL, VECTORS_FILE, CollaborativeModel, Vectors
from services.retrieval.index import CatalogIndex, Retrieved
from tests.retrieval.builders import DIMENSION, product, unit_rows
from training.publish import PublishRefused
from training.sequence.model import SASRec, ServedSequence, Shape
from training.sequence.publication import GUARDED, publish_sequence

IDS = [f"p{number}" for number in range(12)]
SHAPE = Shape(len(IDS), dimension=8, longest=5)


def _publish(root: Path, model: SASRec, figure: float = 0.5) -> None:
    probes = [np.arange(1, length + 1) for length in (1, 3, 5, 9)]
    publish_sequence(
        model,
        ModelStore(root),
        IDS,
        probes,
        evaluation=dict.fromkeys(GUARDED, figure),
        recipe={},
        fingerprint="f",
        force="",
    )


@pytest.fixture(scope="module")
def trained() -> SASRec:
    torch.manual_seed(5)
    return SASRec(replace(SHAPE, dropout=0.0)).eval()


@pytest.fixture(scope="module")
def store(trained: SASRec, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    root = tmp_path_factory.mktemp("models")
    _publish(root, trained)
    return ModelStore(root)


def _open(store: ModelStore, **chosen: Any) -> CollaborativeModel:
    model = CollaborativeModel.open(store, InferenceSettings(models=store.root, **chosen))
    assert model is not None
    return model


@pytest.fixture(scope="module")
def model(store: ModelStore) -> CollaborativeModel:
    return _open(store, provider="cpu")


def _vector(model: SASRec, *numbers: int) -> Vectors:
    with torch.no_grad():
        vector: Vectors = ServedSequence(model)(torch.tensor([numbers])).numpy()[0]
    return vector


def _served(model: CollaborativeModel, *newest_first: str) -> Vectors:
    vector = model.user_vector(newest_first)
    assert vector is not None
    return vector


def test_served_model_gives_the_vectors_it_was_trained_to_give(
    trained: SASRec, store: ModelStore, model: CollaborativeModel
) -> None:
    manifest = store.open(MODEL).manifest
    assert set(manifest.graphs) == {"fp32"} and manifest.dimension == 8
    assert manifest.parity["fp32"]["cosine_min"] > 0.9999
    user = _served(model, "p4", "p0", "p2")  # newest first, as a profile has it
    np.testing.assert_allclose(user, _vector(trained, 3, 1, 5), atol=1e-5)
    np.testing.assert_array_equal(model.vectors, trained.item_vectors().detach().numpy())
    assert model.ids == tuple(IDS)


def test_newest_items_are_read_when_there_are_too_many(trained: SASRec, model: CollaborativeModel) -> None:
    user = _served(model, *IDS[:8])
    np.testing.assert_allclose(user, _vector(trained, 5, 4, 3, 2, 1), atol=1e-5)


def test_unknown_products_are_passed_over(model: CollaborativeModel) -> None:
    found = _served(model, "gone", "p4", "p0", "never")
    np.testing.assert_array_equal(found, _served(model, "p4", "p0"))


@pytest.mark.parametrize("history", [[], ["gone"]])
def test_nobody_known_has_no_vector(model: CollaborativeModel, history: list[str]) -> None:
    assert model.user_vector(history) is None


def test_precision_of_the_other_models_does_not_matter(store: ModelStore) -> None:
    assert _open(store, provider="cpu", precision="int8").user_vector(["p1"]) is not None


def test_shop_without_a_model_has_no_channel(tmp_path: Path) -> None:
    assert CollaborativeModel.open(ModelStore(tmp_path), InferenceSettings(models=tmp_path)) is None
    found = _index(None).for_user(["p1"])
    assert "collaborative" not in _channels(found)


@pytest.mark.parametrize("file", [ITEMS_FILE, VECTORS_FILE])
def test_damaged_model_stops_the_start(store: ModelStore, tmp_path: Path, file: str) -> None:
    root = tmp_path / "models"
    shutil.copytree(store.root, root)
    copied = ModelStore(root)
    path = copied.open(MODEL).folder / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StartupError, match=f"{file} has"):
        CollaborativeModel.open(copied, InferenceSettings(models=root))


def test_worse_model_is_not_published(trained: SASRec, tmp_path: Path) -> None:
    _publish(tmp_path, trained, 0.5)
    with pytest.raises(PublishRefused, match=r"ndcg@10 is 0\.3"):
        _publish(tmp_path, trained, 0.3)


def _index(model: CollaborativeModel | None) -> CatalogIndex:
    """Products the model knows and one that it does not, all alike for every other channel."""
    index = CatalogIndex(DIMENSION, collaborative=model)
    products = [product(each, f"thing {each}") for each in [*IDS, "unknown"]]
    index.upsert(products, np.repeat(unit_rows(1), len(products), axis=0))
    return index


def _channels(found: Retrieved) -> dict[str, dict[str, tuple[float, int]]]:
    ids = found.candidates.products.ids
    return {
        column.channel: dict(zip(ids, zip(column.scores, column.ranks, strict=True), strict=True))
        for column in found.candidates.channels
    }


def _expected(trained: SASRec, *numbers: int) -> dict[str, float]:
    scores: Vectors = trained.item_vectors().detach().numpy() @ _vector(trained, *numbers)
    return dict(zip(IDS, scores.tolist(), strict=True))


def test_recommendations_follow_the_model_where_nothing_else_tells_products_apart(
    trained: SASRec, model: CollaborativeModel
) -> None:
    found = _index(model).for_user(["p4", "p0"])
    expected = _expected(trained, 1, 5)
    said = _channels(found)["collaborative"]
    for each in set(IDS) - {"p4", "p0"}:
        assert said[each][0] == pytest.approx(expected[each], abs=1e-4)
    known = [each for each in found.candidates.products.ids if each != "unknown"]
    assert known == sorted(known, key=lambda each: -expected[each])
    assert said["unknown"] == (0.0, 0)
    assert not {"p4", "p0"} & set(known)


def test_product_the_model_does_not_know_stands_in_the_middle(model: CollaborativeModel) -> None:
    place = list(_index(model).for_user(["p4"]).candidates.products.ids).index("unknown")
    assert 0 < place < len(IDS) - 1


def test_search_tells_the_channel_and_keeps_its_order(model: CollaborativeModel) -> None:
    query, history = ("thing p3", unit_rows(1, seed=3)[0]), ["p4", "p0"]
    with_model, without = (index.search(*query, 20, history) for index in (_index(model), _index(None)))
    assert with_model.candidates.products.ids == without.candidates.products.ids
    assert with_model.candidates.fused_scores == without.candidates.fused_scores
    assert _channels(with_model).keys() - _channels(without).keys() == {"collaborative"}
    assert "collaborative" in _channels(_index(model).search("thing p3", None, 20, history))
    assert "collaborative" not in _channels(_index(model).search(*query, 20))


def test_deleted_products_move_no_score_to_another(trained: SASRec, model: CollaborativeModel) -> None:
    index = _index(model)
    index.for_user(["p4"])
    index.delete(["p1", "p7"])
    index.upsert([product("late")], unit_rows(1))
    expected, said = _expected(trained, 5), _channels(index.for_user(["p4"]))["collaborative"]
    assert said.keys() == {*IDS, "unknown", "late"} - {"p1", "p7", "p4"}
    for each, (score, rank) in said.items():
        assert score == pytest.approx(expected.get(each, 0.0), abs=1e-4)
        assert (rank > 0) == (each in expected)


def test_catalogue_without_a_known_product_has_no_channel(model: CollaborativeModel) -> None:
    index = CatalogIndex(DIMENSION, collaborative=model)
    index.upsert([product("other"), product("another")], unit_rows(2))
    found = index.for_user(["p4", "other"])
    assert list(found.candidates.products.ids) == ["another"]
    assert "collaborative" not in _channels(found)
