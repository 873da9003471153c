"""Products of the demo shop, put into a running gateway."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import UpsertProductsRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from runtime.serving.channel import open_channel

_BATCH = 64
_TIMEOUT_SECONDS = 120.0


def read_products(shop: Path) -> list[Product]:
    """Return all products of the shop in the order of its file."""
    lines = (shop / "products.jsonl").read_text(encoding="utf-8").splitlines()
    return [json_format.Parse(line, Product()) for line in lines]


async def load(gateway: str, products: Sequence[Product]) -> None:
    """Write products through the gateway at an address."""
    async with open_channel(gateway) as channel:
        stub: Any = GatewayServiceStub(channel)
        for start in range(0, len(products), _BATCH):
            batch = products[start : start + _BATCH]
            await stub.UpsertProducts(UpsertProductsRequest(products=batch), timeout=_TIMEOUT_SECONDS)
