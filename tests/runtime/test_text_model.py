"""Sessions and text models on a tiny real graph: what they load, what they refuse, what they return."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from runtime.inference import padding
from runtime.inference.binding import MOST_SHAPES
from runtime.inference.encoder import EMBED, EMBEDDING, TextModel
from runtime.inference.manifest import Manifest, ModelFile, Tensor
from runtime.inference.providers import setup
from runtime.inference.session import InferenceSettings, OnnxSession
from runtime.inference.store import ModelStore, sha256
from runtime.settings import StartupError


def _graph(path: Path) -> None:
    """Write a graph whose `doubled` is 2·id per token and whose `total` is the sum of the ids."""
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    )
    outputs = [
        helper.make_tensor_value_info("doubled", TensorProto.INT64, ["batch", "tokens", 1]),
        helper.make_tensor_value_info("total", TensorProto.INT64, ["batch", 1]),
    ]
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
        helper.make_node("Add", ["kept", "kept"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "last"], ["doubled"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["total"], keepdims=1),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [at]) for name, at in (("last", 2), ("one", 1))
    ]
    graph = helper.make_graph(nodes, "tiny", [ids, mask], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def _with_switch(store: ModelStore) -> TextModel:
    """The same with an embedding, the sum of the ids as a float, that is made only where it is wanted."""
    folder = store.root / "tiny" / "1"
    graph = onnx.load(str(folder / "model.fp32.onnx")).graph
    made, none = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("made", "none")
    )
    empty = helper.make_tensor("none", TensorProto.FLOAT, [0, 1], [])
    cast = helper.make_node("Cast", ["total"], ["made"], to=TensorProto.FLOAT)
    nothing = helper.make_node("Constant", [], ["none"], value=empty)
    then, otherwise = (
        helper.make_graph([cast], "m", [], [made]),
        helper.make_graph([nothing], "n", [], [none]),
    )
    choice = helper.make_node("If", [EMBED], [EMBEDDING], then_branch=then, else_branch=otherwise)
    graph.node.append(choice)
    graph.input.append(helper.make_tensor_value_info(EMBED, TensorProto.BOOL, []))
    graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, [None, 1]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return _replaced(store, model, inputs=[Tensor(name=EMBED, dtype="bool", shape=[])])


def _replaced(store: ModelStore, graph: onnx.ModelProto, **changes: Any) -> TextModel:
    stored = store.open("tiny")
    work = store.root.parent / "again"
    shutil.copytree(stored.folder, work)
    onnx.save(graph, work / "model.fp32.onnx")
    path = work / "model.fp32.onnx"
    entry = ModelFile(sha256=sha256(path), bytes=path.stat().st_size)
    files = stored.manifest.files | {path.name: entry}
    store.add(work, stored.manifest.model_copy(update={"version": "2", "files": files, **changes}))
    store.activate("tiny", "2")
    return _open(store)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    folder = tmp_path / "work"
    folder.mkdir()
    _graph(folder / "model.fp32.onnx")
    tokenizer = Tokenizer(WordLevel({"?": 0, "red": 1, "blue": 2, "shoe": 3}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        path.name: ModelFile(sha256=sha256(path), bytes=path.stat().st_size) for path in folder.iterdir()
    }
    manifest = Manifest(
        name="tiny",
        version="1",
        created="2026-01-01T00:00:00Z",
        graphs={"fp32": "model.fp32.onnx"},
        files=files,
        inputs=[],
        outputs=[],
        max_tokens=4,
    )
    store = ModelStore(tmp_path / "models")
    store.add(folder, manifest)
    store.activate("tiny", "1")
    return store


def _open(store: ModelStore, **settings: Any) -> TextModel:
    return TextModel.open(store, "tiny", InferenceSettings(**settings))


def test_rows_come_back_in_order_cut_to_their_tokens(store: ModelStore) -> None:
    long, short = _open(store).run_sync(["red blue shoe", "shoe"])
    assert long.outputs["doubled"].ravel().tolist() == [2, 4, 6]
    assert short.outputs["doubled"].ravel().tolist() == [6]
    assert (long.outputs["total"].item(), short.outputs["total"].item()) == (6, 3)
    assert long.offsets == [(0, 3), (4, 8), (9, 13)]


async def test_only_those_who_ask_are_sure_of_an_embedding_and_nobody_pays_for_one_unasked(
    store: ModelStore,
) -> None:
    model = _with_switch(store)
    model.warm_up()
    (asked,), (unasked,) = [await model.run(["red shoe"], embed=wish) for wish in (True, False)]
    assert asked.outputs[EMBEDDING].tolist() == [4.0]
    assert set(unasked.outputs) == {"doubled", "total"}
    rows = await asyncio.gather(*(model.run([text], embed=text == "red") for text in ("red", "blue", "shoe")))
    assert rows[0][0].outputs[EMBEDDING].tolist() == [1.0]
    assert [row[0].outputs["total"].item() for row in rows] == [1, 2, 3]
    assert EMBEDDING not in model.run_sync(["red"])[0].outputs
    await model.close()


def test_long_text_is_cut_to_the_manifests_tokens(store: ModelStore) -> None:
    assert len(_open(store).run_sync(["shoe " * 1000])[0].offsets) == 4


async def test_concurrent_callers_get_their_own_rows(store: ModelStore) -> None:
    model = _open(store)
    model.warm_up()
    texts = ["red", "blue", "shoe", "red shoe", "blue shoe"] * 8
    results = await asyncio.gather(*(model.run([text]) for text in texts))
    assert [rows[0].outputs["total"].item() for rows in results] == [1, 2, 3, 4, 5] * 8
    await model.close()


async def test_odd_texts_are_read_and_not_refused(store: ModelStore) -> None:
    model = _open(store)
    texts = ["", " ", "\u200b", "👟👟", "红色 shoe", "x" * 1_000_000]
    results = await model.run(texts)
    assert [np.isfinite(row.outputs["total"]).all() for row in results] == [True] * len(texts)
    await model.close()


def test_auto_takes_the_cpu_where_there_is_no_gpu(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.inference.providers.has_gpu", lambda: False)
    session = OnnxSession(store.open("tiny"), InferenceSettings())
    assert (session.provider, session.precision) == ("cpu", "fp32")
    with pytest.raises(StartupError, match="choose --provider cpu"):
        OnnxSession(store.open("tiny"), InferenceSettings(provider="cuda"))


def test_precision_the_model_lacks_is_refused_with_those_it_has(store: ModelStore) -> None:
    with pytest.raises(StartupError, match=r"no int8 graph \(it has fp32\)"):
        _open(store, precision="int8")


def test_graph_with_the_right_hash_but_no_graph_is_named(store: ModelStore) -> None:
    folder = store.root / "tiny" / "1"
    path = folder / "model.fp32.onnx"
    path.write_bytes(b"not a graph")
    manifest = store.open("tiny").manifest
    entry = ModelFile(sha256=sha256(path), bytes=path.stat().st_size)
    changed = manifest.model_copy(update={"files": manifest.files | {path.name: entry}})
    (folder / "manifest.json").write_text(changed.model_dump_json())
    with pytest.raises(StartupError, match="cannot be loaded by ONNX Runtime"):
        _open(store)


def test_gpu_that_is_asked_for_is_never_replaced_by_the_cpu(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inference.providers.has_gpu", lambda: False)
    for settings in ({"provider": "cuda"}, {"provider": "tensorrt"}, {"cuda_graph": True}):
        with pytest.raises(StartupError, match="no NVIDIA GPU"):
            _open(store, **settings)
    monkeypatch.setattr("runtime.inference.providers.has_gpu", lambda: True)
    # The libraries are not here: ONNX Runtime would go on with its CPU provider.
    with pytest.raises(StartupError, match="install CUDA 13 and cuDNN 9"):
        _open(store, provider="cuda")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(StartupError, match="built without it"):
        _open(store, provider="tensorrt")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"provider": "cpu", "cuda_graph": True}, "--cuda-graph needs a GPU"),
        ({"provider": "cuda", "precision": "int8"}, "choose --precision fp16, or --provider cpu"),
        ({"provider": "tensorrt", "precision": "int8"}, "choose --precision fp16, or --provider cpu"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    store: ModelStore, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(StartupError, match=says):
        _open(store, **settings)


@pytest.mark.parametrize("pads", [False, True])
async def test_bound_and_padded_runs_give_what_plain_ones_give(store: ModelStore, pads: bool) -> None:
    plain, bound = _open(store, max_batch=6), _open(store, max_batch=6, io_binding=True)
    bound.session.pads = pads
    bound.warm_up()
    batches = [["red blue shoe", "shoe"], ["red"], ["blue shoe"] * 5, ["shoe red blue", "blue"], ["?"] * 40]
    kept = [bound.run_sync(batch) for batch in batches * 3]
    for batch, results in zip(batches * 3, kept, strict=True):
        # All were read before any is compared: no result may lie in a buffer that a later run wrote.
        for expected, found in zip(plain.run_sync(batch), results, strict=True):
            for name, values in expected.outputs.items():
                np.testing.assert_array_equal(values, found.outputs[name])
    texts = ["red", "blue", "shoe", "red shoe", "blue shoe"] * 8
    answers = await asyncio.gather(*(bound.run([text]) for text in texts))
    assert [rows[0].outputs["total"].item() for rows in answers] == [1, 2, 3, 4, 5] * 8
    await bound.close()
    await plain.close()


def test_shapes_beyond_those_with_buffers_run_without(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.inference.binding.MOST_SHAPES", 2)
    session = OnnxSession(store.open("tiny"), InferenceSettings(io_binding=True))
    for _ in range(2):
        for rows in (1, 2, 3, 4):
            ids = np.full((rows, 2), rows)
            total = session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})["total"]
            assert total.ravel().tolist() == [2 * rows] * rows


def test_padding_has_few_shapes_and_cuts_nothing() -> None:
    assert [padding.width(tokens, 100) for tokens in (1, 16, 17, 40, 64, 65, 100)] == [
        *(16, 16, 32, 64, 64, 100, 100)
    ]
    assert [padding.width(tokens, 0) for tokens in (3, 200)] == [16, 256]
    assert padding.width(4, 4) == 4
    assert [padding.rows(texts, 24) for texts in (1, 2, 3, 8, 9, 17, 24)] == [1, 2, 4, 8, 16, 24, 24]
    assert len(list(padding.shapes(32, 128))) == 24 < MOST_SHAPES


def test_providers_are_set_up_as_asked(store: ModelStore) -> None:
    inputs = [
        Tensor(name=name, dtype="int64", shape=[None, None]) for name in ("input_ids", "attention_mask")
    ]
    inputs.append(Tensor(name=EMBED, dtype="bool", shape=[]))  # a switch has no length to profile
    manifest = store.open("tiny").manifest.model_copy(update={"inputs": inputs, "max_tokens": 64})
    asked: dict[str, Any] = {"gpu": 1, "max_batch": 8, "graphs": True, "cache": Path("engines")}
    assert setup("cpu", manifest, **asked) == [("CPUExecutionProvider", {})]
    assert setup("cuda", manifest, **asked) == [
        ("CUDAExecutionProvider", {"device_id": "1", "enable_cuda_graph": "1"})
    ]
    (name, options), (then, _) = setup("tensorrt", manifest, **asked)
    assert (name, then) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert options["trt_engine_cache_path"] == "engines"
    assert options["trt_profile_max_shapes"] == "input_ids:8x64,attention_mask:8x64"
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1"
