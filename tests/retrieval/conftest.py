"""A Milvus server for the tests that need one, started once a session."""

import shutil
from collections.abc import Iterator

import pytest

from tests.retrieval.milvus_server import MilvusProcess


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
