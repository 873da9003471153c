"""What tests of every folder share: where the built models and the demo shop are."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def _built(folder: Path, marker: str, target: str) -> Path:
    if not (folder / marker).exists():
        pytest.fail(f"{folder} has no {marker}; run `make {target}` first (`make test` does)", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def models_root() -> Path:
    """The model store that `make models` fills."""
    root = Path(os.environ.get("AISLE_MODELS", REPOSITORY / "models"))
    for name in ("intent", "retriever", "ranker"):
        _built(root, f"{name}/current", "models")
    return root


@pytest.fixture(scope="session")
def demo_shop_root() -> Path:
    """The generated demo shop that `make models` was trained on."""
    return _built(REPOSITORY / "data" / "demo_shop", "products.jsonl", "shop")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    root = Path(os.environ.get("AISLE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set AISLE_DATA to its folder")
    return root
