"""A generation built beside the served one while others search: the whole catalogue embedded anew."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from aisle.retrieval.v1 import generations_pb2 as messages
from aisle.retrieval.v1.generations_pb2_grpc import GenerationServiceStub

_MODEL, _MANIFEST = "retriever", "manifest.json"
_SECONDS = 120.0  # of a call: a large catalogue's index is begun in the first
_POLL_SECONDS = 0.5
_LONGEST_START_SECONDS = 600.0


class NotBuilding(Exception):
    """A generation does not come about; the message says which."""


@dataclass
class Built:
    """How many products were embedded anew, and in how many seconds."""

    products: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return what is told of them beside the searches."""
        return {"embedded_per_second": self.products / self.seconds}


def with_another_version(models: Path, scratch: Path) -> tuple[Path, str]:
    """Return a store in `scratch` that holds `models` and a second, equal version of the retriever, and that
    version's name; nothing is copied. Raises NotBuilding without a retriever."""
    try:
        published = (models / _MODEL / "current").read_text(encoding="utf-8").strip()
        manifest = json.loads((models / _MODEL / published / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotBuilding(f"{error.filename} is missing; run `make models`") from error
    root, version = scratch / "models", f"{published}-again"
    shutil.copytree(models.resolve(), root, copy_function=os.symlink)
    folder = root / _MODEL / version
    shutil.copytree(root / _MODEL / published, folder, symlinks=True)
    (folder / _MANIFEST).unlink()
    again = manifest | {"version": version, "embedding_space": f"{_MODEL}/{version}"}
    (folder / _MANIFEST).write_text(json.dumps(again), encoding="utf-8")
    return root, version


@asynccontextmanager
async def building(retrieval: str, version: str) -> AsyncIterator[Built]:
    """Have the generation of `version` built while the block runs, and drop it then.

    The block begins when the first products are embedded. Raises NotBuilding when the build is refused, fails
    or ends before the block does.
    """
    async with grpc.aio.insecure_channel(retrieval) as channel:
        stub: Any = GenerationServiceStub(channel)
        wanted = messages.BuildGenerationRequest(model_version=version)
        try:
            await stub.BuildGeneration(wanted, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise NotBuilding(f"generation {version} is refused: {error.details()}") from error
        try:
            before, start = await _begun(stub, version), time.perf_counter()
            built = Built()
            yield built
            built.products = await _products(stub, version) - before
            built.seconds = time.perf_counter() - start
        finally:
            await stub.DropGeneration(messages.DropGenerationRequest(generation=version), timeout=_SECONDS)


async def _begun(stub: Any, version: str) -> int:
    until = time.perf_counter() + _LONGEST_START_SECONDS
    while time.perf_counter() < until:
        if products := await _products(stub, version):
            return products
        await asyncio.sleep(_POLL_SECONDS)
    raise NotBuilding(f"no product of generation {version} is embedded after {_LONGEST_START_SECONDS:g} s")


async def _products(stub: Any, version: str) -> int:
    """Return how many products the generation holds that is being built."""
    told = await stub.ListGenerations(messages.ListGenerationsRequest(), timeout=_SECONDS)
    for each in told.generations:
        if each.model_version == version:
            if each.state == messages.GENERATION_STATE_BUILDING:
                return int(each.products)
            raise NotBuilding(f"generation {version} is no longer being built: {each.error or 'it is ready'}")
    raise NotBuilding(f"generation {version} is not there")
