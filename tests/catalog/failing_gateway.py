"""A small real gateway that fails when it is told to."""

from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from runtime.serving.errors import InvalidArgument, to_status

_Servicer: Any = GatewayServiceServicer
Served = TypeVar("Served", bound="FailingGateway")


class FailingGateway(_Servicer):  # type: ignore[misc]
    """Counts calls that write; `failures` are raised first, one a call, and the item `refuse` always is."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures: list[Exception] = []
        self.refuse = ""
        self.broken_call = 0

    def fail_if_told(self, context: Any, ids: Sequence[str], field: str, why: str) -> None:
        """End the call with an error where there is one for it; `field` is that of a refused item's place."""
        self.calls += 1
        if self.calls == self.broken_call:
            context.abort(grpc.StatusCode.INTERNAL, "broken")
        error: Any = self.failures.pop(0) if self.failures else None
        if self.refuse in ids:
            error = InvalidArgument({field.format(ids.index(self.refuse)): why})
        if error is not None:
            context.abort_with_status(to_status(error))


@contextmanager
def serving(servicer: Served) -> Iterator[tuple[Served, str]]:
    """Serve on a free port, and yield the gateway and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_GatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()
