"""Four processes to be killed and frozen; each test mends what it breaks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests import shop

_FLAGS = {
    "gateway": ["--intent-seconds", "1", "--ranking-seconds", "1", "--popular-refresh-seconds", "0.3"],
    "retrieval": ["--dense-budget-seconds", "20"],
}
_PRODUCTS = 120


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the stack."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def stack(models_root: Path, demo_shop_root: Path, state_folder: Path) -> Iterator[Stack]:
    """A running stack with some products of the demo shop."""
    everything = shop.read_products(demo_shop_root)
    with Stack(models_root, state_folder, flags=_FLAGS) as running:
        asyncio.run(shop.load(running.gateway, everything[:: max(1, len(everything) // _PRODUCTS)]))
        yield running


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Any]:
    """A stub of the running gateway."""
    async with open_channel(stack.gateway) as channel:
        yield GatewayServiceStub(channel)
