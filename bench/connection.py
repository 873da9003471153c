"""Connections to the gateway under load."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

_CONNECT_SECONDS = 5.0
_OPTIONS = [
    # Without a pool of its own, every channel of a process shares one connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    # A load generator that sent a request twice would hide an error.
    ("grpc.enable_retries", 0),
]


class UnreachableError(Exception):
    """No gateway accepts connections; the message names the remedy."""


@asynccontextmanager
async def connect(gateway: str, connections: int = 1) -> AsyncIterator[list[GatewayServiceStub]]:
    """Yield one stub for each connection, all of them established.

    `gateway` is host:port or dns:///name:port. Raises UnreachableError after a few seconds.
    """
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(gateway, options=_OPTIONS))
            for _ in range(connections)
        ]
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.gather(*(channel.channel_ready() for channel in channels))
        except TimeoutError as error:
            raise UnreachableError(
                f"no gateway answers at {gateway}; start one with `make serve`, or name it with --gateway"
            ) from error
        yield [GatewayServiceStub(channel) for channel in channels]
