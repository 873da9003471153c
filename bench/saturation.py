"""Finds how many searches a second a gateway can answer at most."""

import asyncio
import time
from collections.abc import Callable, Sequence

import grpc

from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

CLIENTS = 8
_WARM_UP_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0


async def find(stubs: Sequence[GatewayServiceStub], query: Callable[[], str], seconds: float) -> float:
    """Return the searches answered per second, over `seconds` after a warm-up, by clients that never pause.

    A closed loop says nothing of latency; it is used to find the rates worth measuring, nothing else. Raises
    grpc.aio.AioRpcError when a search fails for another reason than overload.
    """
    answered = 0
    start = time.perf_counter() + _WARM_UP_SECONDS
    stop = start + seconds

    async def client(stub: GatewayServiceStub) -> None:
        nonlocal answered
        while time.perf_counter() < stop:
            request = SearchRequest(query=query(), page_size=10)
            try:
                await stub.Search(request, timeout=_TIMEOUT_SECONDS)  # type: ignore[misc]
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.01)
            else:
                answered += start <= time.perf_counter() < stop

    await asyncio.gather(*(client(stubs[number % len(stubs)]) for number in range(CLIENTS)))
    return answered / seconds
