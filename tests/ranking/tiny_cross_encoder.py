"""A cross-encoder of a few words: its logit is the sum of what the words of a pair are worth."""

import tempfile
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from runtime.inference.manifest import Manifest, ModelFile
from runtime.inference.store import ModelStore, sha256
from services.ranking.pairs import CALIBRATION_FILE, CROSS_ENCODER, OUTPUT, Calibration

# Other words are worth 0; "broken" makes the logit no number.
WORTH = {"?": 0, "fair": 1, "good": 2, "best": 4, "broken": 100}
VERSION = "1"


def publish_tiny(root: Path, *, calibration: Calibration | None = None, max_tokens: int = 32) -> None:
    """Publish it in the store at `root`; without a `calibration` it is one that only teaches."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".tiny-") as scratch:
        folder = Path(scratch)
        _write_graph(folder / "model.fp32.onnx")
        tokenizer = Tokenizer(WordLevel(WORTH, unk_token="?"))
        tokenizer.pre_tokenizer = Whitespace()
        tokenizer.save(str(folder / "tokenizer.json"))
        if calibration is not None:
            (folder / CALIBRATION_FILE).write_text(calibration.model_dump_json())
        files = {
            path.name: ModelFile(sha256=sha256(path), bytes=path.stat().st_size) for path in folder.iterdir()
        }
        manifest = Manifest(
            name=CROSS_ENCODER,
            version=VERSION,
            created="2026-01-01T00:00:00Z",
            graphs={"fp32": "model.fp32.onnx"},
            files=files,
            inputs=[],
            outputs=[],
            query_prefix="query: ",
            passage_prefix="passage: ",
            max_tokens=max_tokens,
        )
        store = ModelStore(root)
        store.add(folder, manifest)
        store.activate(CROSS_ENCODER, VERSION)


def store_beside(models_root: Path, root: Path) -> Path:
    """Return a store at `root` with the models of another one and the tiny cross-encoder."""
    root.mkdir(parents=True, exist_ok=True)
    for model in models_root.iterdir():
        if model.is_dir() and model.name != CROSS_ENCODER:
            (root / model.name).symlink_to(model.resolve())
    publish_tiny(root, calibration=Calibration(slope=1.0, intercept=-2.0))
    return root


def _write_graph(path: Path) -> None:
    """score = sum + 0 · √(50 − sum), float32 [pairs]: beyond 50 it is NaN."""
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    )
    score = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch"])
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["whole"], keepdims=0),
        helper.make_node("Cast", ["whole"], ["sum"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["fifty", "sum"], ["left"]),
        helper.make_node("Sqrt", ["left"], ["root"]),
        helper.make_node("Mul", ["root", "zero"], ["nothing"]),
        helper.make_node("Add", ["sum", "nothing"], [OUTPUT]),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("fifty", TensorProto.FLOAT, [1], [50.0]),
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
    ]
    graph = helper.make_graph(nodes, "tiny", [ids, mask], [score], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
