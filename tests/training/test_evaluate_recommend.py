"""Evaluating recommendations: which sets are taken, the figures, and the demo shop's channels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.retrieval.index import CatalogIndex
from tests.retrieval.builders import DIMENSION, product, towards
from tests.training.test_sequence import RECIPE, markov
from training.evaluate.recommend import __main__ as command
from training.evaluate.recommend import amazon
from training.evaluate.recommend.__main__ import main
from training.evaluate.recommend.figures import figures_of_ranks
from training.evaluate.recommend.sets import find_sets, missing
from training.evaluate.recommend.shop import MISSED, answer, best_weights, evaluate, ranks
from training.sequence.shop import Question

NOW = 1_800_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one set of the published layout, and files beside it that are none."""
    folder = tmp_path / "data" / "amazon_s3rec"
    folder.mkdir(parents=True)
    lines = [f"{user} {' '.join(item[1:] for item in walk)}" for user, walk in enumerate(markov(120, 2))]
    (folder / "Ring.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "SOURCE.txt").write_text("where it comes from\n1 of 2\n", encoding="utf-8")
    (folder / "Ring_item2attributes.json").write_text("{}", encoding="utf-8")
    return folder.parent


def test_every_file_of_the_layout_is_a_set_and_expected_ones_are_missed(data: Path) -> None:
    found = find_sets(data)
    assert list(found) == ["Ring"]
    assert [sentence.split()[0] for sentence in missing(found, data)] == ["Beauty", "Toys_and_Games"]
    assert find_sets(None) == {} and find_sets(data / "nowhere") == {}


def test_set_is_trained_once_and_measured_beside_baselines(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=3)
    first = amazon.evaluate(data / "amazon_s3rec" / "Ring.txt", tmp_path / "runs", recipe)
    (kept,) = (tmp_path / "runs").rglob("*.pt")
    written = kept.stat().st_mtime_ns
    again = amazon.evaluate(data / "amazon_s3rec" / "Ring.txt", tmp_path / "runs", recipe)
    assert again == first and kept.stat().st_mtime_ns == written
    assert first["Ring/sasrec/hr@10"].queries == 120
    assert first["Ring/sasrec/ndcg@10"].value > first["Ring/popularity/ndcg@10"].value
    assert {name.split("/")[1] for name in first} == {"popularity", "co-occurrence", "sasrec"}


def test_command_writes_what_it_prints(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(amazon, "RECIPE", replace(RECIPE, epochs=1))
    monkeypatch.setattr(command, "installed", lambda: None)
    out, nowhere = tmp_path / "out.json", str(tmp_path / "nowhere")
    options = ["--models", nowhere, "--shop", nowhere, "--runs", str(tmp_path / "runs"), "--threads", "1"]
    assert main(["--data", str(data), "--out", str(out), *options]) == 0
    printed, record = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    for name in ("demo_shop", "Beauty", "Office_Products", "complete_journey"):
        assert f"{name} is passed over" in printed
    assert f"{record['figures']['Ring/sasrec/hr@10']:.4f}" in printed
    assert {"commit", "machine", "settings", "intervals"} <= record.keys()


def test_nothing_to_evaluate_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "installed", lambda: None)
    nowhere = str(tmp_path / "nowhere")
    assert main(["--data", nowhere, "--models", nowhere, "--shop", nowhere]) == 2
    assert "nothing to evaluate" in capsys.readouterr().err


def test_figures_of_ranks_by_hand() -> None:
    found = figures_of_ranks("set/model", np.array([1, 3, 11, MISSED]))
    assert found["set/model/hr@10"].value == pytest.approx(0.5)
    assert found["set/model/ndcg@10"].value == pytest.approx((1 + 0.5) / 4)
    assert found["set/model/hr@10"].low == pytest.approx(0.5 - 1.96 * 0.5 / 2)


def _index() -> CatalogIndex:
    """Content finds `near` for who had `mine`, ratings find `liked`; `sold-out` is nearest of all."""
    index = CatalogIndex(DIMENSION)
    index.upsert(
        [
            product("mine", rating=4, review_count=5),
            product("near", rating=4, review_count=5),
            product("liked", rating=5, review_count=900),
            product("sold-out", available=False),
            product("other", rating=3, review_count=2),
        ],
        np.stack([towards(0), towards(0, 0.3), towards(2), towards(0, 0.1), towards(4)]),
    )
    return index


def test_channels_are_ranked_among_what_may_be_recommended() -> None:
    asked = [Question(("mine",), target, NOW) for target in ("near", "liked", "sold-out")]
    answered = list(answer(_index(), asked, 5))
    assert ranks(answered, {"dense": 1.0}).tolist() == [1, 3, MISSED]
    assert ranks(answered, {"popular": 1.0}).tolist() == [2, 1, MISSED]
    assert ranks(answered, {"collaborative": 1.0}).tolist() == [MISSED] * 3


def test_served_answer_is_measured_beside_each_channel() -> None:
    found = evaluate(_index(), [Question(("mine",), "near", NOW), Question(("mine",), "sold-out", NOW)], 5)
    assert found["demo_shop/hybrid/hr@10"].value == 0.5
    assert found["demo_shop/content/ndcg@5"].value == 0.5
    assert found["demo_shop/collaborative/hr@10"].value == 0.0


def test_weights_are_those_that_rank_the_validation_best() -> None:
    by_content = best_weights(_index(), [Question(("mine",), "near", NOW)], 5)
    by_ratings = best_weights(_index(), [Question(("mine",), "liked", NOW)], 5)
    assert by_content["popular"] < by_ratings["popular"]
