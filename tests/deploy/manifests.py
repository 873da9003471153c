"""Reads the manifests as a cluster would get them."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

OVERLAYS = ("local", "cluster")
KUSTOMIZATIONS = REPOSITORY / "deploy" / "k8s"
Document = dict[str, Any]


def _kubectl() -> str:
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which("kubectl") or shutil.which("kubectl", path=beside_python)
    if found is None:
        pytest.fail("kubectl is not installed; get it by `deploy/k8s/kubectl.sh .venv/bin`", pytrace=False)
    return found


@cache
def render(overlay: str) -> tuple[Document, ...]:
    """Return the documents that `kubectl apply -k` would send for an overlay."""
    return rendered(KUSTOMIZATIONS / "overlays" / overlay)


def rendered(folder: Path) -> tuple[Document, ...]:
    """Return the documents of a folder with a kustomization.yaml."""
    done = subprocess.run([_kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def model_loader() -> Document:
    """Return the pod that copies models into the cluster, which belongs to no overlay."""
    loaded = yaml.safe_load((KUSTOMIZATIONS / "model-loader.yaml").read_text(encoding="utf-8"))
    return dict(loaded)


def of_kind(overlay: str, kind: str) -> list[Document]:
    """Return an overlay's documents of one kind."""
    return [each for each in render(overlay) if each["kind"] == kind]


def container(deployment: Document) -> Document:
    """Return a Deployment's only container."""
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)
