"""The retrieval process with its record on a Milvus server, which comes and goes."""

import subprocess
import sys
from pathlib import Path

import grpc

from aisle.retrieval.v1.generations_pb2 import BuildGenerationRequest
from aisle.retrieval.v1.generations_pb2_grpc import GenerationServiceStub
from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    GetProductsRequest,
    RetrieveRequest,
    UpsertProductsRequest,
)
from runtime.serving.channel import open_channel
from services.retrieval.milvus_client import ServerEngine
from tests.conftest import REPOSITORY
from tests.retrieval.builders import product
from tests.retrieval.milvus_server import MilvusProcess
from tests.retrieval.served import PRODUCTS, flags, ids_of, stub_of
from tests.retrieval.versions import copy_with
from tests.rpc_errors import error_of
from tests.runtime.processes import running


def _flags(models: Path, state: Path, uri: str) -> tuple[str, ...]:
    return flags(models, state, "--milvus-uri", uri, "--default-deadline-seconds", "60", "--provider", "cpu")


async def test_searches_go_on_without_the_server_and_writes_when_it_is_back(
    models_root: Path, tmp_path: Path, milvus: MilvusProcess
) -> None:
    copy_with(models_root, tmp_path / "models", "next")
    options = _flags(tmp_path / "models", tmp_path / "state", milvus.uri)
    with running(*options, "--dense-budget-seconds", "20") as server:
        async with stub_of(server) as stub, open_channel(server.address) as channel:
            operator = GenerationServiceStub(channel)
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
            milvus.kill()
            writes = (
                stub.UpsertProducts(UpsertProductsRequest(products=[product("late")])),
                stub.DeleteProducts(DeleteProductsRequest(ids=["kettle"])),
                operator.BuildGeneration(BuildGenerationRequest(model_version="next")),
            )
            for write in writes:
                error = await error_of(write)
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                assert "record" in (error.details() or "")
            answer = await stub.Retrieve(RetrieveRequest(query="electric kettle"))
            assert ids_of(answer)[0] == "kettle"
            assert not answer.degraded
            milvus.start()
            await stub.UpsertProducts(UpsertProductsRequest(products=[product("late")]))
    with running(*options) as server:
        async with stub_of(server) as stub:
            everything = [each.id for each in [*PRODUCTS, product("late")]]
            kept = (await stub.GetProducts(GetProductsRequest(ids=everything))).products
    assert [each.id for each in kept] == everything
    client = ServerEngine(milvus.uri).open()
    client.drop_alias("catalog")
    for name in client.list_collections():
        client.drop_collection(name)
    client.close()


def test_process_does_not_start_without_its_server_and_says_what_to_do(
    models_root: Path, tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", *_flags(models_root, tmp_path, "http://127.0.0.1:9")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "http://127.0.0.1:9 does not answer" in process.stderr.splitlines()[-1]
