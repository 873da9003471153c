"""Two encoders as one graph: what they share is there once, and each says what it said alone."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from runtime.folding import fold
from runtime.inference.encoder import EMBED, EMBEDDING, TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.intent.labels import FILENAME, Labels
from services.intent.model import MODEL as INTENT
from services.retrieval.text import question
from tests.training.tiny import LAYERS, tiny_base
from training.base_models import BaseModel
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main as make_shop
from training.export import export_onnx
from training.export.quantisation import quantise
from training.intent.build import labels_of
from training.intent.dataset import examples
from training.intent.network import OUTPUTS, IntentNetwork
from training.intent.reading import feeds
from training.publish import publish
from training.retriever.embedder import Embedder
from training.shared_pass.__main__ import main
from training.shared_pass.build import NothingShared, compose
from training.shared_pass.joining import join
from training.shared_pass.switch import only_if

TEXTS = ["black shirt", "red 连衣裙 for summer", "grey wool coat"]
LABELS = Labels(intent=["browse"], category=["shirt"], slots=["O", "B-color", "I-color"], lexicon={})
AXES = {"slots": {0: "batch", 1: "tokens"}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    folder = tmp_path_factory.mktemp("shop") / "shop"
    make_shop(["--out", str(folder), "--products", "60", "--users", "2", "--wishes", "60"])
    return load(folder)


def base(words: str = " ".join(TEXTS)) -> BaseModel:
    return tiny_base(f"query : {words}")


def fp32(module: nn.Module, own: BaseModel, outputs: tuple[str, ...], folder: Path) -> Path:
    sample = {name: torch.from_numpy(ids) for name, ids in feeds(own.tokenizer, TEXTS[:2])[0].items()}
    axes = AXES if "slots" in outputs else {}
    return export_onnx(module, sample, outputs, folder, axes=axes, precisions=("fp32",))["fp32"]


def both(own: BaseModel, first: int, folder: Path, labels: Labels = LABELS) -> tuple[Path, Path]:
    """The graphs of an intent model and of a retriever whose layers from number `first` on differ."""
    torch.manual_seed(5)
    intent = IntentNetwork(own.encoder, own.dimension, labels)
    one = fp32(intent, own, OUTPUTS, folder / "intent")
    with torch.no_grad():
        for layer in own.encoder.encoder.layer[first:]:
            for weight in layer.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
    return one, fp32(Embedder(own.encoder), own, (EMBEDDING,), folder / "retriever")


def joined(folder: Path, first: int) -> tuple[ModelProto, int, tuple[Path, Path]]:
    graphs = both(base(), first, folder)
    found = join(onnx.load(str(graphs[0])), onnx.load(str(graphs[1])), "retriever")
    assert found.layers == LAYERS
    return found.model, found.common, graphs


def said(graph: Path | ModelProto, feed: Any) -> dict[str, NDArray[Any]]:
    source = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    session = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


@pytest.mark.parametrize("first", [1, 3])
def test_layers_in_common_are_there_once_and_each_output_is_what_it_was(tmp_path: Path, first: int) -> None:
    model, common, (intent, retriever) = joined(tmp_path, first)
    assert common == first
    attentions = [node for node in model.graph.node if node.op_type == "Attention"]
    assert len(attentions) == first + 2 * (LAYERS - first)
    for feed in feeds(base().tokenizer, TEXTS, batch=2):
        alone = said(intent, feed) | said(retriever, feed)
        together = said(model, feed)
        assert set(together) == {*OUTPUTS, EMBEDDING}
        for name, values in alone.items():
            assert together[name] == pytest.approx(values, abs=1e-6)


def test_encoders_of_other_weights_share_nothing(tmp_path: Path) -> None:
    model, common, _ = joined(tmp_path, 0)
    assert common == 0
    assert sum(node.op_type == "Attention" for node in model.graph.node) == 2 * LAYERS


def test_the_second_graph_may_not_bring_outputs_or_inputs_that_do_not_fit(tmp_path: Path) -> None:
    intent, retriever = (onnx.load(str(each)) for each in both(base(), 2, tmp_path))
    with pytest.raises(ValueError, match="outputs called"):
        join(intent, intent, "again")
    for each in intent.graph.input:
        each.name = f"other_{each.name}"
    with pytest.raises(ValueError, match="inputs of its own"):
        join(intent, retriever, "retriever")


@pytest.mark.parametrize("quantised", [False, True])
def test_an_unwanted_output_is_not_made_and_changes_no_other(tmp_path: Path, quantised: bool) -> None:
    model, _, _ = joined(tmp_path, 3)
    if quantised:
        onnx.save(model, str(tmp_path / "whole.onnx"))
        calibration = feeds(base().tokenizer, TEXTS, batch=1)
        quantise(tmp_path / "whole.onnx", tmp_path / "int8.onnx", calibration)
        model = onnx.load(str(tmp_path / "int8.onnx"))
    switched = only_if(model, EMBEDDING, EMBED)
    (feed,) = feeds(base().tokenizer, TEXTS)
    plain = said(model, feed)
    wanted, unwanted = (said(switched, {**feed, EMBED: np.array(flag)}) for flag in (True, False))
    assert unwanted[EMBEDDING].shape == (0, base().dimension)
    for name in OUTPUTS:
        assert np.array_equal(wanted[name], plain[name]) and np.array_equal(unwanted[name], plain[name])
    assert np.array_equal(wanted[EMBEDDING], plain[EMBEDDING])


def store_of(folder: Path, shop: DemoShop, first: int, *, prefixed: bool = True) -> ModelStore:
    """A store with two published encoders; fp32 alone tells what they share."""
    store, labels = ModelStore(folder / "models"), labels_of(shop, examples(shop, "train"))
    own = base(" ".join(query.text for query in shop.queries))
    intent, retriever = both(own, first, folder, labels)
    tokenizer = own.reading_queries().tokenizer if prefixed else own.tokenizer
    tokenizer.save(str(intent.parent / "tokenizer.json"))
    own.tokenizer.save(str(retriever.parent / "tokenizer.json"))
    (intent.parent / FILENAME).write_text(labels.model_dump_json(), encoding="utf-8")
    for name, graph in ((INTENT, intent), ("retriever", retriever)):
        publish(
            store,
            name,
            graph.parent,
            graphs={"fp32": graph},
            parity={"fp32": {"cosine_min": 1.0}},
            evaluation={},
            fingerprint=name,
            dimension=own.dimension if name == "retriever" else 0,
            query_prefix=own.query_prefix,
            passage_prefix=own.passage_prefix,
            max_tokens=64,
        )
    return store


async def test_composed_version_serves_both_and_is_not_made_twice(shop: DemoShop, tmp_path: Path) -> None:
    store = store_of(tmp_path, shop, 3)
    trained, retriever = (store.open(name).manifest for name in (INTENT, "retriever"))
    composed = compose(store, shop)
    manifest = composed.manifest
    assert composed.joined and composed.joined.common == 3
    assert (manifest.embedding_space, manifest.dimension) == (retriever.embedding_space, 32)
    assert set(manifest.graphs) == {"fp32", "int8", "fp16"}
    assert (store.current(INTENT), manifest.fingerprint) == (manifest.version, trained.fingerprint)
    settings = InferenceSettings(models=store.root)
    alone, one = (TextModel.open(store, name, settings) for name in ("retriever", INTENT))
    for query in (each.text for each in shop.queries[:20]):
        (wanted,) = await one.run([fold(query)], embed=True)
        (unwanted,) = await one.run([fold(query)])
        (right,) = alone.run_sync([retriever.query_prefix + question(query)])
        assert wanted.outputs[EMBEDDING] @ right.outputs[EMBEDDING] > 0.98
        assert set(unwanted.outputs) == set(OUTPUTS)
    await one.close()
    assert compose(store, shop).joined is None
    store.activate(INTENT, trained.version)  # as a training that found nothing new would leave it
    assert compose(store, shop).joined is None
    assert store.current(INTENT) == manifest.version


def test_what_cannot_be_one_pass_is_told(
    shop: DemoShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StartupError, match="no current version of model 'intent'"):
        compose(ModelStore(tmp_path / "none"), shop)
    with pytest.raises(StartupError, match="as other tokens, and one pass reads once"):
        compose(store_of(tmp_path / "unlike", shop, 3, prefixed=False), shop)
    store = store_of(tmp_path / "apart", shop, 0)
    before = store.current(INTENT)
    with pytest.raises(NothingShared, match=rf"none of {LAYERS} encoder layers in common"):
        compose(store, shop)
    flags = ["--shop", str(shop.root), "--models", str(store.root)]
    assert main(flags) == 2
    assert main([*flags, "--if-possible"]) == 0
    assert "one pass would save nothing" in capsys.readouterr().err
    assert store.current(INTENT) == before
