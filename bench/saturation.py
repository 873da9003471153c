"""Finds how many calls a second a gateway can answer at most."""

import asyncio
import time
from collections.abc import Callable, Sequence

import grpc

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from bench.calls import Call, Shown, send

CLIENTS = 8
_WARM_UP_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0


async def find(stubs: Sequence[GatewayServiceStub], call: Callable[[], Call], seconds: float) -> float:
    """Return the calls answered per second, over `seconds` after a warm-up, by clients that never pause.

    A closed loop says nothing of latency; it is used to find the rates worth measuring, nothing else. Raises
    grpc.aio.AioRpcError when a call fails for another reason than overload.
    """
    answered, shown = 0, Shown()
    start = time.perf_counter() + _WARM_UP_SECONDS
    stop = start + seconds

    async def client(stub: GatewayServiceStub) -> None:
        nonlocal answered
        while time.perf_counter() < stop:
            try:
                await send(stub, call(), shown, _TIMEOUT_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.01)
            else:
                answered += start <= time.perf_counter() < stop

    await asyncio.gather(*(client(stubs[number % len(stubs)]) for number in range(CLIENTS)))
    return answered / seconds
