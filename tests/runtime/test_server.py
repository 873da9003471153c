"""A service behind the runtime's server, seen from outside: one real process, real calls."""

import asyncio
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from aisle.intent.v1.intent_pb2 import UnderstandRequest, UnderstandResponse
from aisle.intent.v1.intent_pb2_grpc import IntentServiceStub
from runtime.serving import deadline
from runtime.serving.channel import call, open_channel
from runtime.serving.errors import DeadlineExceeded
from tests.runtime.echo_service import SERVICE
from tests.runtime.processes import Running, command, running

ECHO = "tests.runtime.echo_service"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(ECHO, "--max-concurrent-rpcs", "8", "--default-deadline-seconds", "0.3") as process:
        yield process


@pytest.fixture
async def stub(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield IntentServiceStub(channel)


async def _error(awaitable: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value


async def test_request_id_of_the_caller_is_kept_and_a_missing_one_is_made(stub: Any) -> None:
    given = await stub.Understand(UnderstandRequest(query="x"), metadata=(("x-request-id", "abc"),))
    made = await stub.Understand(UnderstandRequest(query="x"))
    assert given.understanding.intents[0].label == "abc"
    assert len(made.understanding.intents[0].label) == 16


async def test_callers_deadline_reaches_the_handler(stub: Any) -> None:
    answer = await stub.Understand(UnderstandRequest(query="time"), timeout=5)
    # gRPC rounds a timeout up on the wire, by up to a hundredth.
    assert 4 < answer.understanding.intents[0].probability <= 5.05


async def test_call_without_deadline_gets_the_servers_default(stub: Any) -> None:
    start = time.monotonic()
    error = await _error(stub.Understand(UnderstandRequest(query="sleep:30")))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 5


async def test_remaining_time_travels_on_and_nothing_left_fails_at_once(stub: Any) -> None:
    deadline.begin(0.5)
    answer: UnderstandResponse = await call(stub.Understand, UnderstandRequest(query="time"), timeout=9)
    assert 0 < answer.understanding.intents[0].probability < 0.5
    deadline.begin(0)
    with pytest.raises(DeadlineExceeded):
        await call(stub.Understand, UnderstandRequest(query="time"))


async def test_invalid_argument_names_every_field(stub: Any) -> None:
    error = await _error(stub.Understand(UnderstandRequest(query="invalid")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    bad = error_details_pb2.BadRequest()
    assert status is not None and status.details[0].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == ["query", "user.user_id"]


async def test_not_found_is_told_as_such(stub: Any) -> None:
    error = await _error(stub.Understand(UnderstandRequest(query="missing")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_crash_is_internal_and_keeps_its_secrets(stub: Any) -> None:
    error = await _error(stub.Understand(UnderstandRequest(query="crash")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    assert "request id" in (error.details() or "")


async def test_invalid_utf8_on_the_wire_is_an_invalid_argument(server: Running) -> None:
    async with open_channel(server.address) as opened:
        channel: Any = opened
        raw = channel.unary_unary(f"/{SERVICE}/Understand")
        error = await _error(raw(b"\x0a\x02\xff\xfe"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_unknown_method_is_unimplemented(server: Running) -> None:
    async with open_channel(server.address) as opened:
        channel: Any = opened
        error = await _error(channel.unary_unary(f"/{SERVICE}/Nothing")(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_calls_over_the_limit_are_refused_quickly_with_retry_info(stub: Any) -> None:
    calls = [stub.Understand(UnderstandRequest(query="sleep:1"), timeout=20) for _ in range(20)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in results if isinstance(each, grpc.aio.AioRpcError)]
    assert len(refused) == 12
    assert {each.code() for each in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    status = rpc_status.from_call(refused[0])  # type: ignore[arg-type]
    assert status is not None and status.details[0].Is(error_details_pb2.RetryInfo.DESCRIPTOR)


async def test_health_answers_for_the_process_and_its_service(server: Running) -> None:
    async with open_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        error = await _error(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_service(server: Running) -> None:
    async with open_channel(server.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = stub.ServerReflectionInfo(iter([request]))
        answer = await answers.read()
    assert SERVICE in [service.name for service in answer.list_services_response.service]


async def test_metrics_count_calls_by_code(stub: Any, server: Running) -> None:
    await _error(stub.Understand(UnderstandRequest(query="missing")))
    url = f"http://127.0.0.1:{server.metrics_port}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
    families = {family.name: family for family in text_string_to_metric_families(text)}
    codes = {sample.labels["grpc_code"] for sample in families["grpc_server_handled"].samples}
    assert "NOT_FOUND" in codes
    assert "grpc_server_handling_seconds" in families


def test_taken_port_is_a_clear_exit(server: Running) -> None:
    process = command(ECHO, "--port", server.address.rsplit(":", 1)[1])
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "choose one with --port" in errors
    assert "Traceback" not in errors


def test_bad_setting_names_flag_variable_and_value() -> None:
    process = command(ECHO, "--port", "99999")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--port (AISLE_PORT)" in errors and "99999" in errors


async def test_old_connection_is_replaced_without_failing_a_call() -> None:
    with running(ECHO, "--max-connection-age-seconds", "0.5") as process:
        async with open_channel(process.address) as channel:
            stub: Any = IntentServiceStub(channel)
            await channel.channel_ready()
            in_flight = stub.Understand(UnderstandRequest(query="sleep:1.5"), timeout=5)
            async with asyncio.timeout(5):
                await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
            for _ in range(20):
                await stub.Understand(UnderstandRequest(query="x"), timeout=5)
            assert (await in_flight).understanding.language == "sleep:1.5"


async def test_sigterm_says_not_serving_then_finishes_calls_in_flight() -> None:
    with running(ECHO, "--drain-seconds", "0.3") as process:
        async with open_channel(process.address) as channel:
            stub: Any = IntentServiceStub(channel)
            health: Any = health_pb2_grpc.HealthStub(channel)
            slow = stub.Understand(UnderstandRequest(query="sleep:1.2"), timeout=5)
            await channel.channel_ready()
            await stub.Understand(UnderstandRequest(query="x"))
            process.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(2):
                while True:
                    check = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE))
                    if check.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                        break
            answer = await slow
        assert answer.understanding.language == "sleep:1.2"
        assert await asyncio.to_thread(process.process.wait, 10) == 0
