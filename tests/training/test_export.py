"""Exported graphs: what they are, and that they say what the torch module says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.export import Parity, export_onnx, export_within_parity
from training.retriever.embedder import Embedder
from training.targets import misses

WIDTH, VOCABULARY = 32, 120
Feed = Mapping[str, NDArray[Any]]


class Heads(nn.Module):
    """An encoder with a text-level and a token-level head, as the intent model has them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _encoder()
        self.intent = nn.Linear(WIDTH, 5)
        self.slots = nn.Linear(WIDTH, 7)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return {"slots": self.slots(states), "intent": self.intent(states[:, 0])}


class Scores(nn.Module):
    """Two probabilities of each candidate, as the ranker gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        click, relevance = torch.sigmoid(self.body(features)).unbind(dim=-1)
        return click, relevance


@pytest.fixture(scope="module", autouse=True)
def seed() -> None:
    torch.manual_seed(3)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(_encoder())


@pytest.fixture(scope="module")
def graphs(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Path]:
    folder = tmp_path_factory.mktemp("graphs")
    return dict(export_onnx(embedder, _sample(), ["embedding"], folder, calibration=_probes(16, seed=1)))


def test_each_precision_is_written_and_nothing_else(graphs: dict[Any, Path]) -> None:
    folder = graphs["fp32"].parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.fp16.onnx",
        "model.fp32.onnx",
        "model.int8.onnx",
    ]


def test_graphs_agree_with_the_module(embedder: Embedder, graphs: dict[Any, Path]) -> None:
    corpus = _embeddings(embedder, _probes(30, seed=2))
    parity = Parity(embedder, ["embedding"], _probes(20), corpus=corpus).measure(graphs)
    assert misses(parity) == []
    assert parity["fp32"]["max_difference"] < 1e-5


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3)])
@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
def test_batch_and_length_are_free(graphs: dict[Any, Path], precision: str, shape: tuple[int, int]) -> None:
    session = _session(graphs[precision])
    feed = {"input_ids": np.full(shape, 5), "attention_mask": np.ones(shape, dtype=np.int64)}
    (embedding,) = session.run(["embedding"], feed)
    assert embedding.shape == (shape[0], WIDTH)
    assert embedding.dtype == np.float32
    assert np.linalg.norm(embedding, axis=1) == pytest.approx(np.ones(shape[0]), abs=1e-3)


def test_padding_changes_no_embedding(graphs: dict[Any, Path]) -> None:
    session = _session(graphs["fp32"])
    ids = np.array([[5, 6, 7]])
    alone = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    mask = np.array([[1, 1, 1, 0, 0]])
    padded = session.run(None, {"input_ids": np.pad(ids, ((0, 0), (0, 2))), "attention_mask": mask})[0]
    assert padded == pytest.approx(alone, abs=1e-5)


def test_attention_is_fused_in_fp32_and_fp16(graphs: dict[Any, Path]) -> None:
    for precision in ("fp32", "fp16"):
        kinds = [node.op_type for node in onnx.load(str(graphs[precision])).graph.node]
        assert kinds.count("Attention") == 2
        assert "Softmax" not in kinds


def test_weights_have_the_type_of_their_precision(graphs: dict[Any, Path]) -> None:
    def bytes_of(precision: str, kind: int) -> int:
        tensors = onnx.load(str(graphs[precision])).graph.initializer
        return sum(len(tensor.raw_data) for tensor in tensors if tensor.data_type == kind)

    types = onnx.TensorProto
    assert bytes_of("int8", types.INT8) > bytes_of("int8", types.FLOAT)
    assert bytes_of("fp16", types.FLOAT16) > 10 * bytes_of("fp16", types.FLOAT)


def test_products_named_are_quantised_in_finer_steps(embedder: Embedder, tmp_path: Path) -> None:
    def kinds(finer: str, folder: str) -> list[str]:
        graphs = export_onnx(
            embedder, _sample(), ["embedding"], tmp_path / folder, precisions=["int8"], finer=finer
        )
        return [node.op_type for node in onnx.load(str(graphs["int8"])).graph.node]

    none, finer = kinds("none-such", "none"), kinds(r"layer\.\d/output/dense", "finer")
    assert "MatMulNBits" not in none
    assert finer.count("MatMulNBits") == 2
    assert finer.count("MatMulInteger") == none.count("MatMulInteger") - 2
    assert "MatMul" not in finer


def test_finer_steps_stay_close_to_the_module(embedder: Embedder, tmp_path: Path) -> None:
    feeds = _probes(20)
    graphs = export_onnx(embedder, _sample(), ["embedding"], tmp_path, calibration=feeds, finer="dense")
    assert Parity(embedder, ["embedding"], feeds).measure(graphs)["int8"]["cosine_min"] > 0.999


def test_smoothing_keeps_the_function_and_saves_int8_from_an_outlier(tmp_path: Path) -> None:
    encoder = _encoder()
    with torch.no_grad():  # one channel two orders above the others, as trained encoders have them
        for name, weight in encoder.named_parameters():
            if name.endswith("attention.output.LayerNorm.weight"):
                weight[3] *= 100
    embedder = Embedder(encoder)
    feeds = _probes(20)
    smoothed = export_onnx(embedder, _sample(), ["embedding"], tmp_path, calibration=feeds)
    parity = Parity(embedder, ["embedding"], feeds).measure(smoothed)
    assert misses({"fp32": parity["fp32"]}) == []
    assert parity["int8"]["cosine_min"] > 0.98


def test_heads_on_texts_and_on_tokens_are_compared_each(tmp_path: Path) -> None:
    module = Heads()
    exported = export_within_parity(
        module,
        _sample(),
        ["intent", "slots"],
        tmp_path,
        probes=_probes(12),
        axes={"slots": {0: "batch", 1: "tokens"}},
        calibration=_probes(16, seed=1),
    )
    assert misses({precision: exported.parity[precision] for precision in ("fp32", "fp16")}) == []
    outputs = _session(exported.graphs["int8"]).run(["intent", "slots"], dict(_probes(1)[0]))
    assert [output.ndim for output in outputs] == [2, 3]
    assert outputs[1].shape[1:] == (_probes(1)[0]["input_ids"].shape[1], 7)


def test_ranker_scores_any_number_of_candidates(tmp_path: Path) -> None:
    module = Scores()
    lists = [
        {"features": np.random.default_rng(size).normal(size=(size, 6)).astype(np.float32)}
        for size in (1, 5, 200)
    ]
    sample = {"features": torch.zeros(3, 6)}
    exported = export_within_parity(
        module, sample, ["click", "relevance"], tmp_path, probes=lists, precisions=("fp32", "fp16")
    )
    assert misses(exported.parity) == []
    click, relevance = _session(exported.graphs["fp32"]).run(["click", "relevance"], lists[2])
    assert click.shape == relevance.shape == (200,)


def test_graph_of_other_weights_is_told_apart(graphs: dict[Any, Path]) -> None:
    parity = Parity(Embedder(_encoder()), ["embedding"], _probes(5)).measure(graphs)
    assert any(miss.startswith("fp32 cosine_min is") for miss in misses(parity))


def test_figure_that_was_not_measured_is_a_miss() -> None:
    assert misses({"int8": {"cosine_min": 0.99}}) == ["int8 top1_agreement is nan, at least 0.95 is required"]


def test_int8_is_made_again_with_care_when_it_misses(tmp_path: Path) -> None:
    module = Heads()
    with torch.no_grad():  # labels that only the smallest differences decide
        module.intent.weight[:] = module.intent.weight[:1] + 1e-3 * torch.randn(5, WIDTH)
        module.intent.bias.zero_()
    exported = export_within_parity(
        module, _sample(), ["intent"], tmp_path, probes=_probes(40), precisions=("int8",)
    )
    names = [n.name for n in onnx.load(str(exported.graphs["int8"])).graph.node if n.op_type == "MatMulNBits"]
    assert sum("output/dense" in name and "attention" not in name for name in names) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model.int8.onnx"]


def test_int8_that_misses_after_all_is_left_out_where_the_model_may_do_without(tmp_path: Path) -> None:
    module = Heads()
    with torch.no_grad():  # all the same but for noise that int8 does not see
        module.intent.weight[:] = module.intent.weight[:1] + 1e-7 * torch.randn(5, WIDTH)
        module.intent.bias.zero_()
    asked: Any = {"probes": _probes(40), "precisions": ("fp32", "int8"), "finer_products": ("",)}
    exported = export_within_parity(module, _sample(), ["intent"], tmp_path / "kept", **asked)
    assert misses({"int8": exported.parity["int8"]})
    left = export_within_parity(module, _sample(), ["intent"], tmp_path / "left", **asked, without_int8=True)
    assert set(left.graphs) == set(left.parity) == {"fp32"}
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["model.fp32.onnx"]


def test_export_leaves_the_module_as_it_was(embedder: Embedder, graphs: dict[Any, Path]) -> None:
    assert graphs
    assert not hasattr(embedder, "config")
    assert "forward" not in vars(embedder)
    assert embedder(**_sample()).shape == (2, WIDTH)


def _encoder() -> BertModel:
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.eval()
    return encoder


def _sample() -> dict[str, Tensor]:
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    return {"input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]]), "attention_mask": mask}


def _probes(count: int, seed: int = 0) -> list[Feed]:
    random = np.random.default_rng(seed)
    rows = [random.integers(4, VOCABULARY, size=(1, random.integers(3, 20))) for _ in range(count)]
    return [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in rows]


def _embeddings(module: Embedder, feeds: list[Feed]) -> NDArray[np.float32]:
    with torch.no_grad():
        rows = [module(**{name: torch.from_numpy(v) for name, v in feed.items()}).numpy() for feed in feeds]
    return np.concatenate(rows)


def _session(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
