"""The cross-encoder's tier through four real processes, with one that knows a few words."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.catalog.v1.arrangement_pb2 import MoveKind, ObjectiveWeights
from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests import shop
from tests.gateway.conftest import PATIENT
from tests.gateway.test_processes import metrics
from tests.ranking.tiny_cross_encoder import store_beside
from tests.rpc_errors import error_of, fields_of

WORDS = ("fair", "good", "best")  # in a title, one each of all products
READ = 8


@pytest.fixture(scope="module")
def reading(
    models_root: Path, products: list[Product], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    store = store_beside(models_root, tmp_path_factory.mktemp("models") / "store")
    flags = {
        "ranking": ["--rerank", str(READ)],
        "gateway": [*PATIENT["gateway"], "--rerank", str(READ), "--reranking-seconds", "20"],
        "retrieval": PATIENT["retrieval"],
    }
    with Stack(store, tmp_path_factory.mktemp("state"), flags=flags) as running:
        asyncio.run(
            shop.load(running.gateway, [_worded(row, each) for row, each in enumerate(products[:90])])
        )
        yield running


def _worded(row: int, product: Product) -> Product:
    changed = Product()
    changed.CopyFrom(product)
    changed.title["en"] = f"{WORDS[row % len(WORDS)]} {changed.title['en']}"
    return changed


@pytest.fixture
async def gateway(reading: Stack) -> AsyncIterator[Any]:
    async with open_channel(reading.gateway) as channel:
        yield GatewayServiceStub(channel)


async def _search(gateway: Any, **fields: Any) -> Any:
    return await gateway.Search(
        SearchRequest(query="black summer t-shirt", page_size=5, **fields), timeout=60
    )


async def test_the_first_hits_are_read_explained_and_pinned(gateway: Any) -> None:
    plain = await _search(gateway, weights=ObjectiveWeights(cross_encoder=0))
    whole = await gateway.Search(
        SearchRequest(query="black summer t-shirt", page_size=20, weights=ObjectiveWeights(cross_encoder=2)),
        timeout=60,
    )
    weights = ObjectiveWeights(cross_encoder=2)
    first = await _search(gateway, explain=True, weights=weights)
    second = await _search(gateway, explain=True, weights=weights, page_token=first.next_page_token)
    assert [model.name for model in plain.info.models if model.name == "cross_encoder"] == []
    assert "cross_encoder" in {model.name for model in first.info.models}
    assert {"reranking", "reranking/cross_encoder"} <= {each.stage for each in first.info.stages}
    ids = [hit.product.id for page in (first, second) for hit in page.hits]
    assert ids == [hit.product.id for hit in whole.hits[:10]]
    read = [
        hit.parts.cross_encoder_relevance
        for hit in whole.hits
        if hit.parts.HasField("cross_encoder_relevance")
    ]
    assert len(read) == READ
    assert len({round(each, 4) for each in read}) > 1
    for hit in first.hits:
        parts = hit.explanation.contributions
        assert sum(part.value for part in parts) == pytest.approx(hit.score, abs=1e-3)
        assert any(part.objective == "cross_encoder" for part in parts)
    kinds = {move.kind for hit in whole.hits for move in hit.moves}
    assert kinds == {MoveKind.MOVE_KIND_CROSS_ENCODER}
    assert not first.info.degraded


async def test_its_seconds_are_counted_as_those_of_other_models(gateway: Any, reading: Stack) -> None:
    await _search(gateway)
    counted = {
        (sample.labels["model"], sample.labels["phase"])
        for sample in (await metrics(reading, "ranking"))["aisle_model_seconds"].samples
        if sample.name.endswith("_count") and sample.value
    }
    assert {("cross_encoder", phase) for phase in ("tokenize", "queue", "infer")} <= counted
    assert ("ranker", "infer") in counted


async def test_a_weight_beyond_its_limit_is_the_callers_fault(gateway: Any) -> None:
    error = await error_of(_search(gateway, weights=ObjectiveWeights(cross_encoder=2.5)))
    assert fields_of(error) == ["weights.cross_encoder"]
