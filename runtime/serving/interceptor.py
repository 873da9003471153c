"""What happens around every unary call: request id, deadline, limit, metrics, and errors with details."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import grpc
from google.protobuf.message import DecodeError
from prometheus_client import Counter, Histogram

from runtime.observability import metrics
from runtime.observability.logs import get_logger
from runtime.serving import admission, deadline, request_id
from runtime.serving.admission import Door, Gradient2
from runtime.serving.errors import (
    AisleError,
    DeadlineExceeded,
    InvalidArgument,
    Overloaded,
    from_rpc_error,
    to_status,
)

logger = get_logger(__name__)

Behavior = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]

_UNLIMITED_SERVICES = ("grpc.health.v1.Health",)
# Calls whose latency tells how loaded the process is: a refused input or an unknown id is answered at once.
_TELLING = (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED)
_TOO_MANY = to_status(Overloaded("as many calls are being served as can be in time; try again"))


@dataclass(frozen=True)
class Limits:
    """What one process accepts: seconds for a call without a deadline, and calls of a method at once.

    How many at once follows from latency (`admission`), between the least and the most.
    """

    default_deadline_seconds: float
    min_concurrent_rpcs: int
    max_concurrent_rpcs: int


class ServingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Serves every unary call under a deadline and a limit, and reports it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the method's handler, wrapped when it is unary."""
        method = str(handler_call_details.method)
        if method in self._handlers:
            return self._handlers[method]
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        self._handlers[method] = self._wrap(method, handler)
        return self._handlers[method]

    def _wrap(self, method: str, handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        service, name = method.lstrip("/").split("/", 1)
        limit = Gradient2(self._limits.min_concurrent_rpcs, self._limits.max_concurrent_rpcs)
        door = None if service in _UNLIMITED_SERVICES else Door(service, name, limit)
        labels = (service, name, "unary")
        started = metrics.SERVER_STARTED.labels(*labels)
        call = _Call(service, name, handler.unary_unary, handler.request_deserializer, door, labels, started)

        async def behavior(raw: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            return await self._serve(call, raw, context)

        # The request arrives as bytes, so that a malformed one is our error and not grpc's UNKNOWN.
        return grpc.unary_unary_rpc_method_handler(
            behavior,
            request_deserializer=None,
            response_serializer=handler.response_serializer,
        )

    async def _serve(self, call: "_Call", raw: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        start = time.perf_counter()
        call.started.inc()
        if call.door is not None and not call.door.enter(start):
            await self._refuse(call, context, start)
        metrics.INFLIGHT.inc()
        code, noted = grpc.StatusCode.OK, admission.begin()
        try:
            return await self._within_deadline(call, raw, context)
        except AisleError as error:
            code = error.code
            await cast(Any, context).abort_with_status(to_status(error))
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED if deadline.remaining() else grpc.StatusCode.DEADLINE_EXCEEDED
            raise
        except grpc.aio.AbortError:
            code = _status_code(context.code())
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            logger.exception("request_failed", method=f"{call.service}/{call.name}")
            await context.abort(code, f"internal error; request id {request_id.current()}")
        finally:
            metrics.INFLIGHT.dec()
            end = time.perf_counter()
            if call.door is not None:
                call.door.leave(start, end, counts=code in _TELLING, strained=noted.strained)
            _handled(call, code, end - start)
        raise AssertionError("abort returned")  # pragma: no cover

    async def _refuse(
        self, call: "_Call", context: "grpc.aio.ServicerContext[Any, Any]", start: float
    ) -> NoReturn:
        """Answer a call that is one too many, before it costs anything: nothing of it is read."""
        metrics.SHED.labels("concurrency").inc()
        try:
            await cast(Any, context).abort_with_status(_TOO_MANY)
        finally:
            _handled(call, grpc.StatusCode.RESOURCE_EXHAUSTED, time.perf_counter() - start)
        raise AssertionError("abort returned")  # pragma: no cover

    async def _within_deadline(
        self, call: "_Call", raw: bytes, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> Any:
        request_id.adopt(context.invocation_metadata() or ())
        given = context.time_remaining()
        deadline.begin(self._limits.default_deadline_seconds if given is None else given)
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await call.behavior(call.parse(raw), context)
        except TimeoutError as error:
            raise DeadlineExceeded("the deadline passed before the answer was ready") from error
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, call.service) from error


@dataclass(frozen=True)
class _Call:
    service: str
    name: str
    behavior: Behavior
    deserialize: Callable[[bytes], Any]
    door: Door | None
    labels: tuple[str, str, str]
    started: Counter
    handled: dict[grpc.StatusCode, tuple[Counter, Histogram]] = field(default_factory=dict)

    def parse(self, raw: bytes) -> Any:
        try:
            return self.deserialize(raw)
        except DecodeError as error:
            reason = "must be a valid message of this method, with strings in UTF-8"
            raise InvalidArgument({"request": reason}) from error


def _handled(call: _Call, code: grpc.StatusCode, seconds: float) -> None:
    if code not in call.handled:  # finding a metric by its labels costs as much as counting
        labels = (*call.labels, code.name)
        call.handled[code] = (
            metrics.SERVER_HANDLED.labels(*labels),
            metrics.SERVER_HANDLING_SECONDS.labels(*labels),
        )
    counter, histogram = call.handled[code]
    counter.inc()
    histogram.observe(seconds)


def _status_code(code: Any) -> grpc.StatusCode:
    """Return the code a servicer aborted with, which grpc.aio may give as a bare number."""
    number = code.value[0] if isinstance(code, grpc.StatusCode) else code
    return next((status for status in grpc.StatusCode if status.value[0] == number), grpc.StatusCode.INTERNAL)
