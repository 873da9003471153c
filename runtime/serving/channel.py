"""Channels to other services, and calls that carry the deadline and the request id on."""

import json
import math
from typing import Any, Protocol, TypeVar

import grpc

from runtime.serving import deadline, request_id
from runtime.serving.errors import DeadlineExceeded

# Kept back from the remaining time, so that an answer in time leaves time to use it.
RESERVE_SECONDS = 0.002

# Retries wait for nothing but a broken connection, and stop when one call in ten needs one
# (gRPC A6, retry throttling).
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 2,
                "initialBackoff": "0.005s",
                "maxBackoff": "0.05s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}

_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
]

Request_contra = TypeVar("Request_contra", contravariant=True)
Response = TypeVar("Response")


class UnaryMethod(Protocol[Request_contra, Response]):
    """A method of a generated asynchronous stub."""

    def __call__(
        self, request: Request_contra, /, *, timeout: float | None, metadata: Any
    ) -> "grpc.aio.UnaryUnaryCall[Any, Response]": ...


def open_channel(target: str) -> grpc.aio.Channel:
    """Open a channel to `target` ("host:port" or "dns:///name:port") spread over all its addresses.

    The channel connects by itself, and again after the other side was away.
    """
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


async def call(
    method: UnaryMethod[Request_contra, Response],
    request: Request_contra,
    *,
    timeout: float = math.inf,  # noqa: ASYNC109 - it travels with the call as its deadline
) -> Response:
    """Call `method` with at most `timeout` seconds and no more than the current request has left.

    Raises DeadlineExceeded at once when nothing is left, and grpc.aio.AioRpcError as the call does.
    """
    budget = min(timeout, deadline.remaining() - RESERVE_SECONDS)
    if budget <= 0:
        raise DeadlineExceeded("no time was left for a call to another service")
    metadata = ((request_id.METADATA_KEY, request_id.current()),) if request_id.current() else None
    return await method(request, timeout=None if math.isinf(budget) else budget, metadata=metadata)
