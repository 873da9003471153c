"""A generation built while others search: begun, counted and dropped again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.retrieval.v1 import generations_pb2 as messages
from aisle.retrieval.v1.generations_pb2 import GenerationState as State
from aisle.retrieval.v1.generations_pb2_grpc import (
    GenerationServiceServicer,
    add_GenerationServiceServicer_to_server,
)
from bench.scale.builds import NotBuilding, building, with_another_version
from runtime.inference.manifest import Manifest
from runtime.inference.store import ModelStore


class _Retrieval(GenerationServiceServicer):
    """Embeds ten products between any two looks at them."""

    def __init__(self) -> None:
        self.address = ""
        self.state = State.GENERATION_STATE_BUILDING
        self.building: list[str] = []
        self._products = -10

    async def BuildGeneration(self, request: Any, context: Any) -> messages.BuildGenerationResponse:
        if request.model_version == "served":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "version served is being served")
        self.building.append(request.model_version)
        return messages.BuildGenerationResponse()

    async def ListGenerations(self, request: Any, context: Any) -> messages.ListGenerationsResponse:
        self._products += 10
        told = [
            messages.Generation(model_version=each, products=self._products, state=self.state)
            for each in self.building
        ]
        return messages.ListGenerationsResponse(generations=[messages.Generation(), *told])

    async def ActivateGeneration(self, request: Any, context: Any) -> messages.ActivateGenerationResponse:
        raise AssertionError("what is measured is never served")

    async def DropGeneration(self, request: Any, context: Any) -> messages.DropGenerationResponse:
        self.building.remove(request.generation)
        return messages.DropGenerationResponse()


@pytest.fixture
async def retrieval() -> AsyncIterator[_Retrieval]:
    servicer, server = _Retrieval(), grpc.aio.server()
    add_GenerationServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(None)


async def test_generation_is_built_while_the_block_runs(retrieval: _Retrieval) -> None:
    async with building(retrieval.address, "next") as built:
        assert retrieval.building == ["next"]
    assert built.products == 10 and built.seconds > 0
    assert built.figures()["embedded_per_second"] == 10 / built.seconds
    assert retrieval.building == []


async def test_build_that_ends_too_soon_is_told_and_dropped(retrieval: _Retrieval) -> None:
    with pytest.raises(NotBuilding, match="it is ready"):
        async with building(retrieval.address, "next"):
            retrieval.state = State.GENERATION_STATE_READY
    assert retrieval.building == []


async def test_build_that_is_refused_is_told(retrieval: _Retrieval) -> None:
    with pytest.raises(NotBuilding, match="is being served"):
        async with building(retrieval.address, "served"):
            pass


def test_another_version_is_equal_and_lies_beside_the_served_one(tmp_path: Path) -> None:
    published = ModelStore(tmp_path / "published")
    folder = tmp_path / "new"
    folder.mkdir()
    told = {"name": "retriever", "version": "1", "created": "2026-01-01", "embedding_space": "retriever/1"}
    manifest = Manifest.model_validate(
        told | {"graphs": {"int8": "graph"}, "files": {}, "inputs": [], "outputs": []}
    )
    published.add(folder, manifest)
    published.activate("retriever", "1")
    root, version = with_another_version(published.root, tmp_path / "scratch")
    store = ModelStore(root)
    assert store.current("retriever") == "1"
    assert store.versions("retriever") == ["1", version]
    assert store.open("retriever", version).manifest.embedding_space != manifest.embedding_space
    assert published.versions("retriever") == ["1"]
    assert published.open("retriever").manifest == manifest


def test_store_without_a_retriever_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotBuilding, match="make models"):
        with_another_version(tmp_path, tmp_path / "scratch")
