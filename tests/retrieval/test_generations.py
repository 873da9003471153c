"""Changing the embedding model of a running process: built beside, activated, gone back from, killed."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.retrieval.v1.generations_pb2 import (
    ActivateGenerationRequest,
    BuildGenerationRequest,
    DropGenerationRequest,
    Generation,
    ListGenerationsRequest,
)
from aisle.retrieval.v1.generations_pb2 import GenerationState as State
from aisle.retrieval.v1.generations_pb2_grpc import GenerationServiceStub
from aisle.retrieval.v1.retrieval_pb2 import (
    DeleteProductsRequest,
    GetIndexInfoRequest,
    RetrieveRequest,
    UpsertProductsRequest,
)
from runtime.serving.channel import open_channel
from services.retrieval.generations import main as command
from tests.retrieval.builders import product
from tests.retrieval.served import PRODUCTS, flags, ids_of, metric_of, stub_of
from tests.retrieval.versions import copy_with
from tests.rpc_errors import error_of
from tests.runtime.processes import Running, running

ACTIVE, BUILDING, READY = (
    State.GENERATION_STATE_ACTIVE,
    State.GENERATION_STATE_BUILDING,
    State.GENERATION_STATE_READY,
)
# Shares no word with the shop's only product for boiling water, so that the embeddings alone find it.
QUERY = "something to boil water for tea"


@pytest.fixture(scope="module")
def store(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the published version and the mirrored `next` and `other`."""
    root = tmp_path_factory.mktemp("store")
    copy_with(models_root, root, "next", "other")
    return root


def _flags(store: Path, state: Path, *more: str) -> tuple[str, ...]:
    return flags(
        store,
        state,
        "--dense-budget-seconds",
        "20",
        "--default-deadline-seconds",
        "60",
        "--provider",
        "cpu",
        *more,
    )


@asynccontextmanager
async def _operator(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield GenerationServiceStub(channel)


async def _generations(operator: Any) -> list[Generation]:
    return list((await operator.ListGenerations(ListGenerationsRequest())).generations)


async def _until(operator: Any, state: "State.ValueType") -> Generation:
    """Wait until the generation beside the served one is in a state."""
    async with asyncio.timeout(120):
        while True:
            found = await _generations(operator)
            if len(found) > 1 and found[1].state == state and not found[1].behind:
                return found[1]
            await asyncio.sleep(0.05)


async def _build(operator: Any, version: str) -> None:
    await operator.BuildGeneration(BuildGenerationRequest(model_version=version))
    await _until(operator, READY)


async def _activate(operator: Any, name: str) -> None:
    await operator.ActivateGeneration(ActivateGenerationRequest(generation=name))


async def _searched(stub: Any) -> tuple[str, list[str]]:
    """The version that answered, and the ids it found, best first."""
    answer = await stub.Retrieve(RetrieveRequest(query=QUERY))
    assert not answer.degraded
    return answer.models[0].version, ids_of(answer)


async def test_another_model_is_served_and_gone_back_from_while_searches_and_writes_go_on(
    store: Path, tmp_path: Path
) -> None:
    with running(*_flags(store, tmp_path)) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
            published, before = await _searched(stub)
            seen: list[tuple[str, list[str]]] = []

            async def keep_searching() -> None:
                while True:
                    seen.append(await _searched(stub))

            searches = asyncio.ensure_future(keep_searching())
            await _build(operator, "next")
            await stub.UpsertProducts(UpsertProductsRequest(products=[product("tent", "Family tent")]))
            await stub.DeleteProducts(DeleteProductsRequest(ids=["drill"]))
            await _activate(operator, "next")
            version, found = await _searched(stub)
            await stub.UpsertProducts(UpsertProductsRequest(products=[product("gnome", "Garden gnome")]))
            await _until(operator, READY)
            await _activate(operator, f"retriever/{published}")
            again, back = await _searched(stub)
            searches.cancel()
            await asyncio.wait([searches])
    assert searches.cancelled()
    assert (version, again) == ("next", published)
    assert {version for version, _ in seen} == {published, "next"}
    # Query and products were of one space in every answer: a mixed pair would have put the kettle last.
    assert {ids[0] for _, ids in seen} == {"kettle"} == {before[0], found[0], back[0]}
    assert set(found) == {*before, "tent"} - {"drill"}
    assert set(back) == {*found, "gnome"}


async def test_another_model_is_served_where_milvus_searches(store: Path, tmp_path: Path) -> None:
    with running(*_flags(store, tmp_path, "--search", "milvus")) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
            await _build(operator, "next")
            await stub.DeleteProducts(DeleteProductsRequest(ids=["drill"]))
            assert (await _until(operator, READY)).products == len(PRODUCTS) - 1
            await _activate(operator, "next")
            version, found = await _searched(stub)
            assert (version, found[0]) == ("next", "kettle")
            assert "drill" not in found


async def test_what_was_built_outlives_a_kill_and_is_not_embedded_again(store: Path, tmp_path: Path) -> None:
    many = [product(f"p{number}", f"thing number {number}") for number in range(200)]
    with running(*_flags(store, tmp_path)) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            await stub.UpsertProducts(UpsertProductsRequest(products=many))
            await operator.BuildGeneration(BuildGenerationRequest(model_version="next"))
            built = 0
            while built < 64:
                _, standby = await _generations(operator)
                built = standby.products
                assert standby.state == BUILDING
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with running(*_flags(store, tmp_path)) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            standby = await _until(operator, READY)
            assert (standby.model_version, standby.products) == ("next", 200)
            assert metric_of(server, "aisle_index_build_progress") == {(): 1}
            embedded = metric_of(server, "aisle_model_seconds_count")[("queue", "retriever")]
            assert 200 - built - 32 <= embedded <= 200 - built
            await _activate(operator, "next")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with running(*_flags(store, tmp_path)) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            serving = (await _generations(operator))[0]
            assert (serving.model_version, serving.state, serving.products) == ("next", ACTIVE, 200)
            await _until(operator, READY)  # the old generation is there to go back to


async def test_older_model_of_the_record_is_served_when_a_newer_one_is_current(
    models_root: Path, tmp_path: Path
) -> None:
    store, state = tmp_path / "store", tmp_path / "state"
    published = copy_with(models_root, store, "next")
    with running(*_flags(store, state)) as server:
        async with stub_of(server) as stub:
            await stub.UpsertProducts(UpsertProductsRequest(products=PRODUCTS))
    (store / "retriever" / "current").write_text("next\n", encoding="utf-8")
    with running(*_flags(store, state)) as server:
        async with stub_of(server) as stub:
            info = await stub.GetIndexInfo(GetIndexInfoRequest())
            assert (info.model.version, info.current_model_version) == (published, "next")
            assert (await _searched(stub))[0] == published
            assert command(["--target", server.address, "build", "--activate"]) == 0
            info = await stub.GetIndexInfo(GetIndexInfoRequest())
            assert (info.model.version, info.embedding_space) == ("next", "retriever/next")
            assert [each.state for each in info.generations] == [ACTIVE, READY]
            assert command(["--target", server.address, "drop", published]) == 0
            assert command(["--target", server.address, "drop", published]) == 1
    shutil.rmtree(store / "retriever" / published)
    with running(*_flags(store, state)) as server:
        async with stub_of(server) as stub:
            assert (await _searched(stub))[0] == "next"


async def test_generation_without_its_model_is_stale_and_dropped_by_the_next_build(
    models_root: Path, tmp_path: Path
) -> None:
    store, state = tmp_path / "store", tmp_path / "state"
    copy_with(models_root, store, "next", "other")
    with running(*_flags(store, state)) as server:
        async with _operator(server) as operator:
            await _build(operator, "next")
    shutil.rmtree(store / "retriever" / "next")
    with running(*_flags(store, state)) as server:
        async with _operator(server) as operator:
            stale = (await _generations(operator))[1]
            assert (stale.state, stale.embedding_space) == (State.GENERATION_STATE_STALE, "retriever/next")
            await _build(operator, "other")
            assert [each.model_version for each in await _generations(operator)][1:] == ["other"]


async def test_what_cannot_be_done_is_refused_with_the_reason(store: Path, tmp_path: Path) -> None:
    with running(*_flags(store, tmp_path)) as server:
        async with stub_of(server) as stub, _operator(server) as operator:
            many = [product(f"p{number}", f"thing number {number}") for number in range(100)]
            await stub.UpsertProducts(UpsertProductsRequest(products=many))
            (serving,) = await _generations(operator)

            async def refused(method: str, request: Any) -> tuple[grpc.StatusCode, str]:
                error = await error_of(getattr(operator, method)(request))
                return error.code(), error.details() or ""

            code, reason = await refused("BuildGeneration", BuildGenerationRequest(model_version="none"))
            assert code is grpc.StatusCode.NOT_FOUND
            assert "next, other" in reason
            code, reason = await refused("BuildGeneration", BuildGenerationRequest())
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "is being served" in reason
            name = serving.model_version
            code, _ = await refused("DropGeneration", DropGenerationRequest(generation=name))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            code, _ = await refused("ActivateGeneration", ActivateGenerationRequest())
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            code, _ = await refused("ActivateGeneration", ActivateGenerationRequest(generation="next"))
            assert code is grpc.StatusCode.NOT_FOUND
            await operator.BuildGeneration(BuildGenerationRequest(model_version="next"))
            code, reason = await refused("ActivateGeneration", ActivateGenerationRequest(generation="next"))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "is not ready" in reason
            code, reason = await refused("BuildGeneration", BuildGenerationRequest(model_version="other"))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "drop it first" in reason
            await operator.DropGeneration(DropGenerationRequest(generation="next"))
            assert await _generations(operator) == [serving]
            assert metric_of(server, "aisle_index_build_progress") == {(): 0}
