"""Evaluating understanding: which sets are read and how they are split, figures, fine-tuning on a set."""

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from tests.training.tiny import tiny_base
from training.evaluate.intent import real, tuned
from training.evaluate.intent.__main__ import main
from training.evaluate.intent.measures import classified, span_f1, told_apart
from training.evaluate.intent.robustness import PERTURBATIONS
from training.evaluate.intent.sets import LabelledSet, find_sets, missing
from training.intent.example import Example, Piece
from training.intent.public import held_out

WORDS = {
    "greet": ("hello", "good morning"),
    "leave": ("goodbye", "see you"),
    "thank": ("thanks", "thank you"),
}
RECIPE = replace(
    tuned.RECIPE,
    trainable_layers=2,
    epochs=8,
    encoder_rate=3e-3,
    head_rate=2e-2,
    batch=8,
    bfloat16=False,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Small sets in the layouts of the real ones."""
    root = tmp_path / "data"
    clinc, banking, reviews = (
        root / name for name in ("clinc150_en", "banking77_en", "online_shopping_10_cats_zh")
    )
    for folder in (clinc, banking, reviews):
        folder.mkdir(parents=True)
    rows = [
        [f"{word} {number}", intent]
        for intent, words in WORDS.items()
        for word in words
        for number in range(20)
    ]
    splits = {"train": rows, "val": rows[:5], "oos_val": [["what is love", "oos"]], "oos_train": []}
    with gzip.open(clinc / "data_full.json.gz", "wt", encoding="utf-8") as file:
        json.dump(splits, file)
    with (banking / "train.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "category"], *rows])
    with gzip.open(reviews / "reviews.csv.gz", "wt", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["cat", "label", "review"], *(["衣服", n % 2, f"质量{n}"] for n in range(300))]
        )
    return root


def test_sets_are_found_by_their_files_and_the_others_missed(data: Path) -> None:
    found = find_sets(data)
    assert list(found) == ["clinc150_en", "banking77_en", "online_shopping_10_cats_zh"]
    assert [sentence.split()[0] for sentence in missing(found, data)] == ["product_reviews_en"]
    assert find_sets(None) == {}
    clinc = found["clinc150_en"]()
    assert (clinc.split, clinc.outside, clinc.labels) == (
        "validation",
        ["what is love"],
        ["greet", "leave", "thank"],
    )


@pytest.mark.parametrize("name", ["banking77_en", "online_shopping_10_cats_zh"])
def test_own_validation_shares_no_text_with_training(data: Path, name: str) -> None:
    given = find_sets(data)[name]()
    parts = [{text for text, _ in part} for part in (given.train, given.held_out, given.judged)]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert len(parts[2]) == pytest.approx(0.1 * sum(map(len, parts)), rel=0.6)


def test_a_test_split_is_what_is_judged(data: Path) -> None:
    test = data / "banking77_en" / "test.csv"
    test.write_text("text,category\nhello there,greet\n", encoding="utf-8")
    given = find_sets(data)["banking77_en"]()
    assert (given.split, given.judged) == ("test", [("hello there", "greet")])


def test_figures_of_a_classification() -> None:
    told = [{"a": 0.9, "b": 0.1}, {"a": 0.8, "b": 0.2}, {"a": 0.3, "b": 0.7}, {"a": 0.6, "b": 0.4}]
    figures = classified(told, ["a", "b", "b", "a"], "intent")
    assert figures["intent/accuracy"].value == 0.75
    assert figures["intent/macro_f1"].value == pytest.approx((0.8 + 2 / 3) / 2)
    assert figures["intent/ece"].value == pytest.approx((0.1 + 0.8 + 0.3 + 0.4) / 4)
    assert figures["intent/accuracy"].low <= 0.75 <= figures["intent/accuracy"].high
    assert told_apart(np.array([3.0, 1.0]), np.array([2.0, 0.0])).value == 0.75
    assert span_f1([{1, 2}, set()], [{1}, {3}]).value == pytest.approx(0.5)


def test_a_set_is_fine_tuned_once_and_its_figures_kept(tmp_path: Path) -> None:
    rows = [(f"{word}", intent) for intent, words in WORDS.items() for word in words for _ in range(6)]
    given = LabelledSet("tiny", "intent", rows, rows[::5], rows[::3], "validation", ["what", "love"])
    base = tiny_base(" ".join([*(text for text, _ in rows), "what love"]))
    figures = tuned.evaluate(base, given, RECIPE, tmp_path)
    assert figures["tiny/intent/accuracy"].value == 1.0
    assert set(figures) == {
        f"tiny/{name}"
        for name in ("intent/accuracy", "intent/macro_f1", "intent/ece", "out_of_scope/auroc",
                     "out_of_scope_energy/auroc")
    }  # fmt: skip
    untouched = replace(base, encoder=None)  # type: ignore[arg-type]
    assert tuned.evaluate(untouched, given, RECIPE, tmp_path) == figures


def test_sentiment_is_fine_tuned_by_the_same_recipe(tmp_path: Path) -> None:
    rows = [(text, label) for text, label in (("很好", "positive"), ("很差", "negative")) for _ in range(16)]
    given = LabelledSet("zh", "sentiment", rows, rows[::3], rows[::3], "validation")
    figures = tuned.evaluate(tiny_base("很好 很差"), given, RECIPE, tmp_path)
    assert figures["zh/sentiment/accuracy"].value == 1.0


EXAMPLE = Example(
    (Piece("black", "color", "black"), Piece(" "), Piece("連衣裙".replace("連", "连"))), "browse", ""
)


@pytest.mark.parametrize(
    ("name", "written"),
    [("case", "BLACK 连衣裙"), ("traditional", "black 連衣裙"), ("full_width", "ｂｌａｃｋ 连衣裙")],
)
def test_perturbations_change_how_a_query_is_written(name: str, written: str) -> None:
    assert PERTURBATIONS[name](EXAMPLE, Random(1)) == written


def test_training_leaves_out_what_evaluation_judges(real_data: Path) -> None:
    texts = {source.name: source for source in real.real_texts(real_data, 50)}
    assert all(held_out(text) for text in texts["banking77_en"].texts)
    assert {source.language for source in texts.values()} == {"en", "zh"}
    assert real.missing(list(texts.values()), real_data) == []


def test_the_command_writes_what_it_prints(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tuned, "RECIPE", replace(RECIPE, epochs=1))
    words = " ".join(word for both in WORDS.values() for word in both)
    monkeypatch.setattr("training.evaluate.intent.__main__.bilingual", lambda: tiny_base(words))
    out, nowhere = tmp_path / "out.json", str(tmp_path / "nowhere")
    options = ["--models", nowhere, "--shop", nowhere, "--runs", str(tmp_path / "runs"), "--threads", "1"]
    assert main(["--data", str(data), "--sets", "clinc150_en", "--out", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert "the served model is passed over" in printed and "product_reviews_en is passed over" in printed
    figures = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert {"clinc150_en/intent/accuracy", "clinc150_en/out_of_scope/auroc"} <= set(figures)
    assert all(name in printed for name in figures)


def test_nothing_to_evaluate_is_told_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert main(["--models", nowhere, "--shop", nowhere]) == 2
    assert "name a folder of sets with --data" in capsys.readouterr().err
