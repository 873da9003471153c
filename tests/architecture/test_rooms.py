"""The folders: who may import whom, and what no file may be."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

ROOMS = ("runtime", "services", "gateway", "training", "catalog", "bench", "examples", "deploy")
GENERATED = "aisle"

# What each room may import of ours. A service's pure modules are what training shares with serving.
ALLOWED = {
    "runtime": {"runtime", GENERATED},
    "services": {"runtime", GENERATED},
    "gateway": {"gateway", "runtime", GENERATED},
    "training": {"training", "runtime", "catalog", "services", GENERATED},
    "catalog": {"catalog", GENERATED},
    "bench": {"bench", GENERATED},
    "examples": {"examples", GENERATED},
    "deploy": {"deploy"},
}
SERVING_ONLY = ("service", "__main__", "settings")
# Evaluation judges what is served, so it alone may go through a service's door, in process.
EVALUATION = "evaluate"
FRAMEWORKS = {"torch", "transformers", "optimum", "peft"}
# A file has one reason to change; a table of test cases may be longer.
MOST_LINES, MOST_TEST_LINES = 300, 400


def _sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (REPOSITORY / room).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(path: Path) -> str:
    return path.relative_to(REPOSITORY).parts[0]


@pytest.mark.parametrize("path", _sources(*ROOMS), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_downwards(path: Path) -> None:
    room = _room(path)
    own = {*ROOMS, GENERATED, "tests"}
    for module in _imports(path):
        top = module.split(".")[0]
        if room == "services" and top == "services":
            service = path.relative_to(REPOSITORY).parts[1]
            assert module.startswith(f"services.{service}"), f"{path} imports another service: {module}"
        elif top in own:
            assert top in ALLOWED[room], f"{path} may not import {module}"
        if room == "training" and top == "services" and path.parent.name != EVALUATION:
            assert not module.endswith(SERVING_ONLY), f"{path} imports a service's door: {module}"
        assert room == "training" or top not in FRAMEWORKS, f"{path} imports {module}; only training may"


def test_the_rules_would_catch_a_wrong_import(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from services.intent.model import X\nimport torch.nn\n", encoding="utf-8")
    assert {"services.intent.model", "torch.nn"} <= set(_imports(wrong))
    assert "services" not in ALLOWED["gateway"]


@pytest.mark.parametrize(
    "path", _sources(*ROOMS, "tests"), ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_files_are_short_named_and_finished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    most = MOST_TEST_LINES if _room(path) == "tests" else MOST_LINES
    assert len(text.splitlines()) <= most
    assert path.stem not in {"utils", "helpers", "helper", "common", "misc", "manager"}
    assert not re.search(r"#\s*(TODO|FIXME|XXX)\b", text)


def test_nothing_built_is_in_git() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    built = re.compile(r"(^(aisle|models|data|state|results|runs)/)|\.(onnx|db|safetensors|parquet|pyc|whl)$")
    assert not [path for path in listed if built.search(path)]


def test_every_make_target_is_explained() -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
    assert phony is not None
    for target in phony.group(1).split():
        assert re.search(rf"^{target}:.*## \S", text, flags=re.MULTILINE), target
