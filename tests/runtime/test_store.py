"""The model store: versions appear whole, are checked when read, and switch atomically."""

from pathlib import Path

import pytest

from runtime.inference.manifest import Manifest, ModelFile
from runtime.inference.store import ModelStore, sha256
from runtime.settings import StartupError


def _add(store: ModelStore, tmp_path: Path, version: str, content: bytes = b"graph") -> None:
    folder = tmp_path / f"work-{version}"
    folder.mkdir()
    path = folder / "model.fp32.onnx"
    path.write_bytes(content)
    manifest = Manifest(
        name="toy",
        version=version,
        created="2026-01-01T00:00:00Z",
        graphs={"fp32": path.name},
        files={path.name: ModelFile(sha256=sha256(path), bytes=len(content))},
        inputs=[],
        outputs=[],
    )
    store.add(folder, manifest)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path / "models")
    _add(store, tmp_path, "1")
    store.activate("toy", "1")
    return store


def test_added_version_is_served_only_after_its_activation(store: ModelStore, tmp_path: Path) -> None:
    _add(store, tmp_path, "2")
    assert store.versions("toy") == ["1", "2"]
    assert store.open("toy").manifest.version == "1"
    store.activate("toy", "2")
    assert store.open("toy").manifest.version == "2"
    store.activate("toy", "1")
    assert store.open("toy").manifest.version == "1"


def test_published_version_never_changes(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "work-1").rmdir()
    with pytest.raises(StartupError, match="never changes"):
        _add(store, tmp_path, "1", b"other")


def test_half_copied_version_is_not_a_version(store: ModelStore) -> None:
    leftover = store.root / "toy" / ".adding-x"
    leftover.mkdir()
    (leftover / "model.fp32.onnx").write_bytes(b"gr")
    assert store.versions("toy") == ["1"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"gra"), "has 3 bytes, not 5"),
        (lambda path: path.write_bytes(b"grope"), "does not have the sha256"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_damaged_file_is_named_with_a_remedy(store: ModelStore, damage: object, message: str) -> None:
    assert callable(damage)
    damage(store.root / "toy" / "1" / "model.fp32.onnx")
    with pytest.raises(StartupError, match=message) as caught:
        store.open("toy").file("model.fp32.onnx")
    assert "model.fp32.onnx" in str(caught.value) and "activate" in str(caught.value)


def test_missing_model_says_how_to_make_one(store: ModelStore) -> None:
    with pytest.raises(StartupError, match="make models"):
        store.open("nothing")


def test_missing_version_names_the_known_ones(store: ModelStore) -> None:
    with pytest.raises(StartupError, match="versions of 'toy': 1"):
        store.open("toy", "9")


def test_unreadable_manifest_is_named(store: ModelStore) -> None:
    (store.root / "toy" / "1" / "manifest.json").write_text("{")
    with pytest.raises(StartupError, match="no valid manifest"):
        store.open("toy")
