"""A stack whose query encoder and profile store never have enough time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests import shop
from tests.fault.searching import missing, reasons

_FLAGS = {"gateway": ["--profile-seconds", "0.000001"], "retrieval": ["--dense-budget-seconds", "0.000001"]}


@pytest.fixture(scope="module")
def hurried(
    models_root: Path, demo_shop_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    processes = ("retrieval", "ranking", "gateway")
    state = tmp_path_factory.mktemp("state")
    with Stack(models_root, state, processes=processes, flags=_FLAGS) as running:
        asyncio.run(shop.load(running.gateway, shop.read_products(demo_shop_root)[:30]))
        yield running


@pytest.fixture
async def gateway(hurried: Stack) -> AsyncIterator[Any]:
    async with open_channel(hurried.gateway) as channel:
        yield GatewayServiceStub(channel)


async def test_late_query_encoder_leaves_the_lexical_candidates(gateway: Any) -> None:
    answer = await gateway.Search(SearchRequest(query="black shoe"), timeout=10)
    assert missing(answer) == {"STAGE_DENSE", "STAGE_INTENT"}  # no intent service runs here at all
    assert answer.hits
    assert all(set(hit.parts.channel_ranks) == {"lexical"} for hit in answer.hits)


async def test_late_profile_leaves_an_anonymous_user(gateway: Any) -> None:
    answer = await gateway.Search(SearchRequest(query="black shoe", user_id="u"), timeout=10)
    assert "STAGE_PROFILE" in missing(answer)
    assert "late" in reasons(answer)
    assert answer.hits
