"""Publishing: what is refused, what the manifest says, and that a kill leaves no half version."""

import os
import shutil
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from runtime.inference.manifest import Precision
from runtime.inference.store import ModelStore, StoredModel
from runtime.settings import StartupError
from tests.conftest import REPOSITORY
from training.publish import PublishRefused, activate, main, publish, up_to_date, verify

GOOD: dict[Precision, dict[str, float]] = {"fp32": {"cosine_min": 1.0}}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def _publish(store: ModelStore, figure: float = 0.8, **options: Any) -> StoredModel:
    folder = store.root.parent / "work"
    folder.mkdir(exist_ok=True)
    graph = folder / "model.fp32.onnx"
    _write_graph(graph, scale=figure)
    (folder / "labels.json").write_text('{"intent": ["browse"]}', encoding="utf-8")
    chosen: dict[str, Any] = {
        "parity": GOOD,
        "evaluation": {"ndcg@10": figure},
        "guarded": ["ndcg@10"],
    } | options
    return publish(store, "toy", folder, graphs={"fp32": graph}, **chosen)


def _write_graph(path: Path, scale: float) -> None:
    graph = helper.make_graph(
        [helper.make_node("Mul", ["features", "scale"], ["click"])],
        "toy",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("click", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [1], [scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))


def test_published_model_is_current_and_complete(store: ModelStore) -> None:
    stored = _publish(store, base="e5", recipe={"method": "lora"}, training_data=["demo shop"], max_tokens=64)
    opened = store.open("toy")
    verify(opened)
    manifest = opened.manifest
    assert manifest == stored.manifest
    assert sorted(manifest.files) == ["labels.json", "model.fp32.onnx"]
    assert (manifest.base, manifest.recipe, manifest.max_tokens) == ("e5", {"method": "lora"}, 64)
    assert manifest.parity == {"fp32": {"cosine_min": 1.0}}


def test_manifest_tells_the_shape_of_the_graph(store: ModelStore) -> None:
    manifest = _publish(store).manifest
    (features,), (click,) = manifest.inputs, manifest.outputs
    assert (features.name, features.dtype, features.shape) == ("features", "float32", [None, 4])
    assert (click.name, click.shape) == ("click", [None, 4])


def test_version_is_named_by_time_and_content(store: ModelStore) -> None:
    first, second = _publish(store).manifest, _publish(store, 0.9).manifest
    for manifest in (first, second):
        time, content = manifest.version.split("-")
        assert (len(time), time[8], len(content)) == (15, "T", 8)
    assert first.version.split("-")[1] != second.version.split("-")[1]


def test_each_version_with_a_dimension_is_an_embedding_space(store: ModelStore) -> None:
    manifest = _publish(store, dimension=384, query_prefix="query: ").manifest
    assert manifest.embedding_space == f"toy/{manifest.version}"
    assert _publish(store, 0.9).manifest.embedding_space == ""


@pytest.mark.parametrize(
    ("parity", "reason"),
    [
        ({"fp32": {"cosine_min": 0.97}}, "fp32 cosine_min is 0.97000, at least 0.99999"),
        ({}, "fp32 cosine_min is nan"),
        ({"fp32": {"cosine_min": float("nan")}}, "fp32 cosine_min is nan"),
    ],
)
def test_missed_parity_is_refused_even_when_forced(store: ModelStore, parity: Any, reason: str) -> None:
    with pytest.raises(PublishRefused, match=reason):
        _publish(store, parity=parity, force="I want it")
    assert store.versions("toy") == []


def test_worse_figure_is_refused_and_the_current_version_stays(store: ModelStore) -> None:
    before = _publish(store, 0.8).manifest.version
    with pytest.raises(PublishRefused, match=rf"ndcg@10 is 0\.7000, version {before} has 0\.8000"):
        _publish(store, 0.7)
    assert (store.versions("toy"), store.current("toy")) == ([before], before)


def test_noise_is_not_worse_but_no_number_is(store: ModelStore) -> None:
    _publish(store, 0.8)
    version = _publish(store, 0.797).manifest.version
    assert store.current("toy") == version
    with pytest.raises(PublishRefused):
        _publish(store, float("nan"))


def test_forced_version_keeps_its_reason(store: ModelStore) -> None:
    _publish(store, 0.8)
    forced = _publish(store, 0.7, force="half the latency").manifest.forced
    assert "half the latency" in forced
    assert "0.7000" in forced
    assert _publish(store, 0.9, force="not needed").manifest.forced == ""


def test_guarded_figure_must_have_been_measured(store: ModelStore) -> None:
    with pytest.raises(ValueError, match="auc"):
        _publish(store, guarded=["auc"])


def test_unreadable_current_version_does_not_stop_its_replacement(store: ModelStore) -> None:
    broken = _publish(store, 0.9)
    (broken.folder / "manifest.json").write_text("{", encoding="utf-8")
    replacement = _publish(store, 0.5)
    assert store.current("toy") == replacement.manifest.version


def test_damaged_version_is_not_activated(store: ModelStore) -> None:
    old = _publish(store, 0.8)
    new = _publish(store, 0.9).manifest.version
    (old.folder / "labels.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StartupError, match=r"labels\.json"):
        activate(store, "toy", old.manifest.version)
    assert store.current("toy") == new


def test_same_fingerprint_needs_no_training_unless_damaged(store: ModelStore) -> None:
    assert up_to_date(store, "toy", "abc") is None
    stored = _publish(store, fingerprint="abc")
    assert up_to_date(store, "toy", "other") is None
    found = up_to_date(store, "toy", "abc")
    assert found is not None
    assert found.manifest == stored.manifest
    (stored.folder / "labels.json").unlink()
    assert up_to_date(store, "toy", "abc") is None


def test_command_line_lists_versions_and_rolls_back(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = _publish(store, 0.8).manifest.version, _publish(store, 0.9).manifest.version
    root = str(store.root)
    assert main(["--models", root, "activate", "toy", old]) == 0
    assert main(["--models", root, "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"* toy {old} fp32 ndcg@10=0.8000" in lines
    assert f"  toy {new} fp32 ndcg@10=0.9000" in lines
    assert store.current("toy") == old


@pytest.mark.parametrize("command", [["list"], ["list", "nothing"], ["activate", "toy", "20200101T000000-0"]])
def test_command_line_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main(["--models", str(tmp_path / "none"), *command]) == 2
    assert "none" in capsys.readouterr().err


def test_help_names_the_commands() -> None:
    command = [sys.executable, "-m", "training.publish", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert "list" in shown.stdout
    assert "activate" in shown.stdout


_ENDLESS = """
import sys
from pathlib import Path
from runtime.inference.store import ModelStore
from tests.training.test_publish import _publish
store, figure = ModelStore(Path(sys.argv[1])), 0.0
while True:
    figure += 1
    print("acknowledged", _publish(store, figure).manifest.version, flush=True)
"""


@pytest.mark.parametrize("published", [1, 4, 9])
def test_kill_while_publishing_leaves_a_whole_current_version(store: ModelStore, published: int) -> None:
    command = [sys.executable, "-c", _ENDLESS, str(store.root)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = (line.split()[1] for line in process.stdout if line.startswith("acknowledged"))
        acknowledged = list(islice(said, published))
        os.kill(process.pid, signal.SIGKILL)
    current = store.current("toy")
    assert current is not None
    assert current >= acknowledged[-1][:15]
    for version in store.versions("toy"):
        verify(store.open("toy", version))
    assert set(acknowledged) <= set(store.versions("toy"))


def test_leftover_of_a_kill_is_no_version(store: ModelStore) -> None:
    stored = _publish(store)
    shutil.copytree(stored.folder, stored.folder.parent / ".adding-x")
    assert store.versions("toy") == [stored.manifest.version]
