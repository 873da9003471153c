"""Reads the manifests as a cluster would get them."""

import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

OVERLAYS = ("local", "cluster")
Document = dict[str, Any]


@cache
def render(overlay: str) -> tuple[Document, ...]:
    """Return the documents that `kubectl apply -k` would send for an overlay."""
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is not installed; manifests are rendered by `kubectl kustomize`", pytrace=False)
    folder = REPOSITORY / "deploy" / "k8s" / "overlays" / overlay
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> list[Document]:
    """Return an overlay's documents of one kind."""
    return [each for each in render(overlay) if each["kind"] == kind]


def container(deployment: Document) -> Document:
    """Return a Deployment's only container."""
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)
