"""The processes that tests of retrieval need: a Milvus server for the session, the service for a module."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.retrieval.v1.retrieval_pb2 import UpsertProductsRequest
from tests.retrieval.milvus_server import MilvusProcess
from tests.retrieval.served import flags, stub_of
from tests.runtime.processes import Running, running


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    """A running server; whoever kills it starts it again."""
    folder = tmp_path_factory.mktemp("milvus")
    server = MilvusProcess(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)  # half a gigabyte of programs


@pytest.fixture(scope="module")
def server(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a record of its own and the published model."""
    # The budget is generous: a busy machine must not turn these tests into tests of degradation.
    options = flags(models_root, tmp_path_factory.mktemp("state"), "--dense-budget-seconds", "5")
    with running(*options, "--default-deadline-seconds", "30") as process:
        yield process


@pytest.fixture
async def stub(server: Running, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A client of a service that holds the PRODUCTS of the test's module."""
    async with stub_of(server) as stub:
        await stub.UpsertProducts(UpsertProductsRequest(products=request.module.PRODUCTS))
        yield stub
