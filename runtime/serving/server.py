"""The one way to run a service: bind, load, serve, and drain on SIGTERM."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server
from pydantic import Field

from runtime.observability import logs
from runtime.serving.interceptor import Limits, ServingInterceptor
from runtime.settings import ProcessSettings, StartupError
from runtime.threads import Threads

logger = logs.get_logger(__name__)

_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# A thread that computes in Python holds the others up for so long; the default, 5 ms, is a whole search.
_SWITCH_SECONDS = 0.0005


class ServerSettings(ProcessSettings):
    """Settings every serving process has."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 inside a container")
    port: int = Field(0, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics; 0 takes a free one")
    default_deadline_seconds: float = Field(
        2.0, gt=0, le=600, description="seconds for a call without a deadline"
    )
    min_concurrent_rpcs: int = Field(
        32, ge=1, description="calls of a method served at once however slow they become; see the next"
    )
    max_concurrent_rpcs: int = Field(
        256,
        ge=1,
        description="most calls of a method served at once; how many, latency says, more are refused",
    )
    drain_seconds: float = Field(
        1.0, ge=0, le=300, description="seconds between NOT_SERVING and refusing calls"
    )
    grace_seconds: float = Field(5.0, ge=0, le=300, description="seconds that calls in flight get to finish")
    max_connection_age_seconds: float = Field(
        300.0, gt=0, le=86400, description="seconds after which callers connect anew and find added replicas"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")


@dataclass(frozen=True)
class Endpoint:
    """A gRPC service ready to be served.

    `service` is its full name ("aisle.intent.v1.IntentService"); `attach` adds its servicer to a server.
    """

    service: str
    attach: Callable[[grpc.aio.Server], None]


Build = Callable[[], AbstractAsyncContextManager[Sequence[Endpoint]]]


def main(process: str, settings: ServerSettings, build: Build) -> NoReturn:
    """Serve what `build` yields until SIGTERM or SIGINT; exit 2 with a sentence when it cannot start.

    `build` loads and warms up everything before it yields and closes it afterwards.
    """
    logs.configure(process, settings.log_level)
    try:
        asyncio.run(_serve(settings, build))
    except StartupError as error:
        print(f"{process} cannot start: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


async def _serve(settings: ServerSettings, build: Build) -> None:
    sys.setswitchinterval(_SWITCH_SECONDS)
    stop = _stop_event()
    asyncio.get_running_loop().set_default_executor(Threads(thread_name_prefix="beside"))
    logger.info("starting", settings=settings.shown())
    _require_free(settings.host, settings.port, "port")
    metrics_port = _serve_metrics(settings)
    async with build() as endpoints:
        server = _make_server(settings, endpoints)
        statuses = await _attach(server, endpoints)
        port = _bind(server, settings)
        await server.start()
        await _announce(statuses, endpoints, health_pb2.HealthCheckResponse.SERVING)
        gc.freeze()  # models and indexes live as long as the process: don't walk them again
        logger.info("serving", address=f"{settings.host}:{port}", metrics_port=metrics_port)
        await stop.wait()
        logger.info("draining", seconds=settings.drain_seconds)
        await _announce(statuses, endpoints, health_pb2.HealthCheckResponse.NOT_SERVING)
        await asyncio.sleep(settings.drain_seconds)
        await server.stop(settings.grace_seconds)
    logger.info("stopped")


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _make_server(settings: ServerSettings, endpoints: Sequence[Endpoint]) -> grpc.aio.Server:
    most = settings.max_concurrent_rpcs
    limits = Limits(settings.default_deadline_seconds, min(settings.min_concurrent_rpcs, most), most)
    return grpc.aio.server(
        interceptors=[ServingInterceptor(limits)],
        options=[
            ("grpc.so_reuseport", 0),  # a second process on the port must fail, not share the calls
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            # A channel looks its name up again only when it lost a connection. Calls in flight are finished.
            ("grpc.max_connection_age_ms", round(1000 * settings.max_connection_age_seconds)),
        ],
    )


async def _attach(server: grpc.aio.Server, endpoints: Sequence[Endpoint]) -> HealthServicer:
    statuses = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(statuses, server)
    for endpoint in endpoints:
        endpoint.attach(server)
    names = [endpoint.service for endpoint in endpoints]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return statuses


async def _announce(
    statuses: HealthServicer,
    endpoints: Sequence[Endpoint],
    status: "health_pb2.HealthCheckResponse.ServingStatus",
) -> None:
    for name in ("", *(endpoint.service for endpoint in endpoints)):
        await statuses.set(name, status)


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    try:
        return server.add_insecure_port(f"{settings.host}:{settings.port}")
    except RuntimeError as error:
        raise _port_taken(settings.host, settings.port, "port") from error


def _serve_metrics(settings: ServerSettings) -> int:
    try:
        server, _ = start_http_server(settings.metrics_port, addr=settings.host)
    except OSError as error:
        raise _port_taken(settings.host, settings.metrics_port, "metrics-port") from error
    return int(server.server_port)


def _require_free(host: str, port: int, flag: str) -> None:
    """Find out about a taken port before the models are loaded, not after."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _port_taken(host, port, flag) from error


def _port_taken(host: str, port: int, flag: str) -> StartupError:
    return StartupError(
        f"cannot listen on {host}:{port}; "
        f"another process may hold the port: stop it or choose one with --{flag}"
    )
