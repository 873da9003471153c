"""A process that cannot serve says so at once, with the remedy, and exits with status 2."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.inference.store import ModelStore
from tests.runtime.processes import command

MODELS = {"services.intent": "intent", "services.retrieval": "retriever", "services.ranking": "ranker"}
_EXIT_SECONDS = 60


def _truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _alter(path: Path) -> None:
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 0xFF]))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": _truncate,
    "altered": _alter,
    "missing": Path.unlink,
}


def _store_with(models: Path, name: str, damage: Callable[[Path], None], folder: Path) -> Path:
    """Return a store in `folder` like `models` whose graphs of model `name` are damaged."""
    shutil.copytree(models / name, folder / name, copy_function=_copy_or_link)
    stored = ModelStore(folder).open(name)
    for graph in stored.manifest.graphs.values():
        damage(stored.folder / graph)
    return folder


def _copy_or_link(source: str, target: str) -> None:
    # Only what is to be damaged needs bytes of its own.
    if source.endswith(".onnx"):
        shutil.copyfile(source, target)
    else:
        os.link(source, target)


def _refusal(*arguments: str) -> str:
    process = command(*arguments, "--port", "0", "--metrics-port", "0")
    _, errors = process.communicate(timeout=_EXIT_SECONDS)
    assert process.returncode == 2
    assert "Traceback" not in errors
    return errors.splitlines()[-1]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("module", MODELS)
def test_damaged_model_is_refused_with_its_file_and_the_remedy(
    models_root: Path, tmp_path: Path, module: str, damage: str
) -> None:
    models = _store_with(models_root, MODELS[module], DAMAGES[damage], tmp_path / "models")
    state = ("--state", str(tmp_path / "state")) if module == "services.retrieval" else ()
    refusal = _refusal(module, "--models", str(models), *state)
    assert ".onnx" in refusal
    assert "publish" in refusal or "make models" in refusal


@pytest.mark.parametrize("module", MODELS)
def test_empty_model_store_is_refused_with_the_remedy(tmp_path: Path, module: str) -> None:
    state = ("--state", str(tmp_path / "state")) if module == "services.retrieval" else ()
    assert "make models" in _refusal(module, "--models", str(tmp_path / "models"), *state)


def test_gateway_refuses_a_damaged_event_store(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    refusal = _refusal("gateway", "--state", str(tmp_path))
    assert "events.db is damaged" in refusal
    assert "restore it from a backup" in refusal


def test_gateway_refuses_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = command("gateway", "--state", str(tmp_path), "--metrics-port", "0", "--port", port)
        _, errors = process.communicate(timeout=_EXIT_SECONDS)
    assert process.returncode == 2
    assert "choose one with --port" in errors


def test_gateway_refuses_a_budget_of_nothing(tmp_path: Path) -> None:
    refusal = _refusal("gateway", "--state", str(tmp_path), "--ranking-seconds", "-1")
    assert "--ranking-seconds (AISLE_RANKING_SECONDS)" in refusal
