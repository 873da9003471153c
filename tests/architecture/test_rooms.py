"""The folders: who may import whom, and what no file may be."""

import re
import subprocess
from pathlib import Path, PurePath

import pytest

from tests.architecture.imports import ROOMS, imported, offences
from tests.conftest import REPOSITORY

# A file has one reason to change; a table of test cases may be longer.
MOST_LINES, MOST_TEST_LINES = 300, 400
_NAMELESS = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}


def _sources(*rooms: str) -> list[PurePath]:
    paths = (path for room in rooms for path in (REPOSITORY / room).rglob("*.py"))
    return sorted(path.relative_to(REPOSITORY) for path in paths)


def _read(path: PurePath) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", _sources(*ROOMS), ids=str)
def test_imports_go_downwards(path: PurePath) -> None:
    assert offences(path, imported(_read(path))) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/intent/model.py", "from services.ranking.features import FEATURES"),
        ("services/intent/model.py", "from services import ranking"),
        ("services/intent/model.py", "from gateway.budget import Budget"),
        ("services/intent/model.py", "import torch.nn"),
        ("services/intent/model.py", "from .labels import Labels"),
        ("gateway/merge.py", "from services.ranking.features import FEATURES"),
        ("runtime/settings.py", "import gateway"),
        ("runtime/inference/session.py", "def late():\n    import transformers"),
        ("training/ranker/fit.py", "from services.ranking import service"),
        ("training/ranker/fit.py", "from services.ranking.settings import RankingSettings"),
        ("bench/load.py", "from runtime.serving.channel import call"),
        ("bench/load.py", "from services.retrieval.index import CatalogIndex"),
        ("bench/retrieval/ours.py", "from services.retrieval.service import RetrievalServicer"),
        ("bench/retrieval/ours.py", "from services.ranking.features import FEATURES"),
        ("bench/retrieval/ours.py", "from training.loop import fit"),
        ("bench/gpu/command.py", "from runtime.serving.channel import call"),
        ("bench/gpu/command.py", "from services.intent.model import IntentModel"),
        ("examples/demo.py", "from bench.load import run"),
        ("deploy/local/stack.py", "from gateway.settings import GatewaySettings"),
        ("catalog/load.py", "from tests.conftest import REPOSITORY"),
    ],
)
def test_wrong_import_is_found(path: str, source: str) -> None:
    assert offences(PurePath(path), imported(source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/intent/model.py", "from services.intent.labels import Labels\nimport runtime.settings"),
        ("training/ranker/fit.py", "import torch\nfrom services.ranking.features import FEATURES"),
        ("training/ranker/fit.py", "from catalog.rows import Row\nfrom training.loop import fit"),
        ("bench/load.py", "from aisle.gateway.v1 import gateway_pb2\nimport numpy"),
        ("bench/retrieval/ours.py", "from services.retrieval.index import CatalogIndex"),
        ("bench/gpu/command.py", "from runtime.inference.encoder import TextModel"),
    ],
)
def test_right_import_is_left_alone(path: str, source: str) -> None:
    assert offences(PurePath(path), imported(source)) == []


def test_every_folder_of_python_is_a_room() -> None:
    listed = {PurePath(path).parts[0] for path in _in_git() if path.endswith(".py")}
    assert listed <= {*ROOMS, "tests"}


@pytest.mark.parametrize("path", _sources(*ROOMS, "tests"), ids=str)
def test_files_are_short_named_and_finished(path: PurePath) -> None:
    text = _read(path)
    most = MOST_TEST_LINES if path.parts[0] == "tests" else MOST_LINES
    assert len(text.splitlines()) <= most
    assert not _NAMELESS & {path.stem, *path.parts[:-1]}
    assert not re.search(r"#\s*(TODO|FIXME|XXX)\b", text)


@pytest.mark.parametrize("path", _sources("runtime", "services", "gateway"), ids=str)
def test_threads_that_are_awaited_come_from_the_pool_that_forgets_nobody(path: PurePath) -> None:
    named = "ThreadPoolExecutor" in _read(path)
    assert named == (path == PurePath("runtime/threads.py"))


def test_nothing_built_is_in_git() -> None:
    built = re.compile(
        r"(^(aisle|models|data|state|results|runs)/)"
        r"|\.(onnx|db|sqlite|safetensors|pt|pth|bin|npy|npz|pkl|parquet|pyc|whl)$"
    )
    assert [path for path in _in_git() if built.search(path)] == []


def test_every_make_target_is_explained_and_every_explanation_has_a_target() -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    explained = re.findall(r"^  make (\S+) +\S", shown, flags=re.MULTILINE)
    assert sorted(explained) == sorted(phony.group(1).split())
    for target in explained:
        assert re.search(rf"^{re.escape(target)}:", text, flags=re.MULTILINE), target


def _in_git() -> list[str]:
    # Only what is there: a file being removed is listed until the removal is added.
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [path for path in listed if Path(REPOSITORY / path).exists()]
