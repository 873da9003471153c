"""Finds how many searches a second a gateway can answer at most."""

import asyncio
import itertools
import time
from collections.abc import Sequence

import grpc

from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

_CLIENTS = 8


async def find(gateway: str, queries: Sequence[str], seconds: float) -> float:
    """Return the searches answered per second by clients that ask again as soon as they are answered.

    A closed loop says nothing of latency; it is used to find the rates worth measuring, nothing else.
    """
    answered = 0
    turns = itertools.cycle(queries)
    async with grpc.aio.insecure_channel(gateway) as channel:
        stub = GatewayServiceStub(channel)
        stop = time.perf_counter() + seconds

        async def client() -> None:
            nonlocal answered
            while time.perf_counter() < stop:
                try:
                    await stub.Search(SearchRequest(query=next(turns), page_size=10), timeout=5)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
                    await asyncio.sleep(0.01)
                else:
                    answered += 1

        await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return answered / seconds
