"""Fine-tuning end to end on a tiny encoder: it learns, keeps its promises, and what is published serves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from tests.training.tiny import LAYERS, tiny_base
from training.base_models import BaseModel
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main as make_shop
from training.finetuning import LAYERED, Method
from training.retriever.__main__ import main
from training.retriever.build import Order, build
from training.retriever.catalogues import chosen_catalogues
from training.retriever.embedder import Embedder, embed
from training.retriever.fit import fit
from training.retriever.frozen import FrozenTexts
from training.retriever.recipe import RECIPES, Recipe
from training.retriever.sources import demo_queries, demo_titles
from training.retriever.validation import CHOSEN_BY, search_probe

TINY = Recipe(
    trainable_layers=2,
    epochs=3,
    steps_per_epoch=40,
    batch=16,
    passage_tokens=24,
    learning_rate=1e-3,
    adapter_rate=3e-3,
    validation_pool=60,
    validation_twins=15,
)
TEXTS = ["black shirt", "a much longer text about a grey wool coat for men in winter", "红色 连衣裙", "x"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    folder = tmp_path_factory.mktemp("shop") / "shop"
    make_shop(["--out", str(folder), "--products", "200", "--users", "4", "--wishes", "300"])
    return load(folder)


def base_of(shop: DemoShop) -> BaseModel:
    return tiny_base(" ".join(f"{product.title['en']} {product.title['zh']}" for product in shop.products))


@pytest.mark.parametrize("frozen", [0, 2, LAYERS])
def test_texts_through_frozen_layers_embed_as_whole_ones_do(shop: DemoShop, frozen: int) -> None:
    base = base_of(shop)
    texts = FrozenTexts(base.encoder, frozen, base.tokenizer, TEXTS, 8)
    whole = embed(Embedder(base.encoder), base.tokenizer, TEXTS, 8)
    assert np.allclose(texts.embed(), whole, atol=1e-5)
    assert np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("method", LAYERED)
def test_fine_tuning_finds_more_and_leaves_frozen_layers_alone(
    shop: DemoShop, method: Method, tmp_path: Path
) -> None:
    base, before = base_of(shop), base_of(shop).encoder.state_dict()
    fitted = fit(
        base,
        [demo_queries(shop)],
        [search_probe(shop, "validation", 60, 15, 0)],
        TINY,
        method=method,
        seed=0,
        identity={},
        runs=tmp_path,
    )
    untrained = fitted.by_ratio[0.0][CHOSEN_BY]
    assert fitted.by_ratio[fitted.ratio][CHOSEN_BY] > untrained + 0.03
    after = fitted.embedder.encoder.state_dict()
    assert set(after) == set(before)
    assert torch.equal(
        after["embeddings.word_embeddings.weight"], before["embeddings.word_embeddings.weight"]
    )
    moved = {name for name in before if not torch.equal(after[name], before[name])}
    assert moved and all(name.startswith(("encoder.layer.2", "encoder.layer.3")) for name in moved)


def test_what_is_published_serves_and_is_not_built_twice(shop: DemoShop, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    order = Order(base_of(shop), shop, [], replace(TINY, epochs=1), "full", seed=0)
    built = build(order, store, runs=tmp_path / "runs")
    manifest = built.manifest
    assert manifest.embedding_space == f"retriever/{manifest.version}"
    assert set(manifest.graphs) == {"fp32", "int8", "fp16"}
    assert (manifest.query_prefix, manifest.passage_prefix, manifest.dimension) == (
        "query: ",
        "passage: ",
        32,
    )
    assert {"zh/mrr@10", "en/mrr@10", "twins/overlap@10", "talk/mrr@10"} <= set(manifest.evaluation)
    model = TextModel.open(store, "retriever", InferenceSettings(models=store.root))
    served = np.stack([each.outputs["embedding"] for each in model.run_sync(TEXTS)])
    assert built.fitted is not None
    trained = embed(built.fitted.embedder, order.base.tokenizer, TEXTS, 256)
    assert (served * trained).sum(axis=1).min() > 0.98
    again = build(replace(order, base=base_of(shop)), store, runs=tmp_path / "runs")
    assert again.fitted is None and again.manifest.version == manifest.version


def test_every_recipe_differs_in_what_it_was_built_from(shop: DemoShop) -> None:
    order = Order(base_of(shop), shop, [], RECIPES["default"], "full", 0)
    others = [
        replace(order, recipe=RECIPES["large"]),
        replace(order, method="lora"),
        replace(order, seed=1),
        replace(order, base=replace(order.base, name="another")),
        replace(order, extra=[demo_titles(shop, "zh")]),
    ]
    assert all(other.settings() != order.settings() for other in others)


def test_a_dimension_the_encoder_does_not_have_is_refused(shop: DemoShop) -> None:
    order = Order(base_of(shop), shop, [], TINY, "full", 0)
    with pytest.raises(StartupError, match="tiny has 32 dimensions; 48"):
        replace(order, dimension=48)
    with pytest.raises(StartupError, match="0 cannot be cut"):
        replace(order, recipe=replace(TINY, dimensions=(16, 0)))


def test_distilling_asks_for_negatives_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--shop", "nowhere", "--distillation", "1"]) == 2
    assert "add --hard-negatives 4" in capsys.readouterr().err


def test_a_catalogue_that_holds_nothing_to_learn_from_is_named(tmp_path: Path) -> None:
    titles_only = tmp_path / "shop.jsonl"
    titles_only.write_text('{"id": "1", "title": {"en": "Kettle"}}\n', encoding="utf-8")
    with pytest.raises(StartupError, match="no product with a title and a description"):
        chosen_catalogues(None, [titles_only])
    with pytest.raises(StartupError, match="holds none of"):
        chosen_catalogues(tmp_path, [])


def test_a_catalogue_pairs_titles_with_all_that_is_said_besides(tmp_path: Path) -> None:
    file = tmp_path / "shop.jsonl"
    row = {"id": "1", "title": {"en": "Kettle"}, "description": {"en": "Boils water."}, "brand": "Acme"}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (source,) = chosen_catalogues(None, [file])
    assert source.examples[0].query == "Kettle" and source.licence == "the owner's"
    assert source.passages[source.examples[0].drawn[0]] == ("Acme\nBoils water.",)
