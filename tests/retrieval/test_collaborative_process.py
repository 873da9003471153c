"""The retrieval process with a sequence model beside its encoder."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest, UpsertProductsRequest
from runtime.inference.store import ModelStore
from services.retrieval.collaborative import MODEL, VECTORS_FILE
from tests.conftest import REPOSITORY
from tests.retrieval.served import PRODUCTS, flags, ids_of, metric_of, stub_of
from tests.runtime.processes import running
from training.sequence.model import SASRec, Shape
from training.sequence.publication import GUARDED, publish_sequence


@pytest.fixture
def models(models_root: Path, tmp_path: Path) -> Path:
    """The published retriever, and a sequence model that knows some of the products and one that is gone."""
    root = tmp_path / "models"
    root.mkdir()
    (root / "retriever").symlink_to(models_root.resolve() / "retriever")
    torch.manual_seed(2)
    ids = [each.id for each in PRODUCTS[:3]] + ["discontinued"]
    publish_sequence(
        SASRec(replace(Shape(len(ids)), dropout=0.0)),
        ModelStore(root),
        ids,
        [np.array([1, 2]), np.array([3])],
        evaluation=dict.fromkeys(GUARDED, 0.1),
        recipe={},
        fingerprint="f",
        force="",
    )
    return root


async def test_history_brings_the_collaborative_channel_and_its_model(models: Path, tmp_path: Path) -> None:
    with running(*flags(models, tmp_path / "state", "--dense-budget-seconds", "5")) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS), timeout=30)
            history = ["discontinued", "boots"]
            known = await stub.Retrieve(RetrieveRequest(for_user=ForUser(), history_ids=history))
            searched = await stub.Retrieve(RetrieveRequest(query="shirt", history_ids=history))
            stranger = await stub.Retrieve(RetrieveRequest(for_user=ForUser()))
        assert metric_of(server, "aisle_model_seconds_count").get(("infer", MODEL), 0) >= 2
    for answer in (known, searched):
        assert "collaborative" in [column.channel for column in answer.candidates.channels]
        assert MODEL in [version.name for version in answer.models]
    assert set(ids_of(known)) == {"black-shirt", "white-shirt", "drill", "kettle"}
    assert "collaborative" not in [column.channel for column in stranger.candidates.channels]
    assert MODEL not in [version.name for version in stranger.models]


def test_damaged_sequence_model_stops_the_process_with_a_sentence(models: Path, tmp_path: Path) -> None:
    path = ModelStore(models).open(MODEL).folder / VECTORS_FILE
    path.write_bytes(path.read_bytes()[:-4])
    done = subprocess.run(
        [sys.executable, "-m", *flags(models, tmp_path / "state")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert VECTORS_FILE in done.stderr and "publish the model again" in done.stderr
    assert "Traceback" not in done.stderr
