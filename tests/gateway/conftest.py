"""The four processes with the published models and the demo shop, for tests that break nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel
from tests import shop

# Tests share their machine: a slow stage must not look like a missing one.
PATIENT = {
    "gateway": [
        *("--intent-seconds", "20", "--retrieval-seconds", "20", "--ranking-seconds", "20"),
        *("--profile-seconds", "5", "--default-deadline-seconds", "30"),
    ],
    "retrieval": ["--dense-budget-seconds", "20"],
}
_MOST_PRODUCTS = 400


@pytest.fixture(scope="session")
def products(demo_shop_root: Path) -> list[Product]:
    """Some hundred products from all over the demo shop."""
    everything = shop.read_products(demo_shop_root)
    return everything[:: max(1, -(-len(everything) // _MOST_PRODUCTS))]


@pytest.fixture(scope="session")
def stack(
    models_root: Path, products: list[Product], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A running stack that holds `products`."""
    with Stack(models_root, tmp_path_factory.mktemp("state"), flags=PATIENT) as running:
        asyncio.run(shop.load(running.gateway, products))
        yield running


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Any]:
    """A stub of the running gateway."""
    async with open_channel(stack.gateway) as channel:
        yield GatewayServiceStub(channel)
