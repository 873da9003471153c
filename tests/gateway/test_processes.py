"""What operators rely on, for each of the four processes: health, reflection and metrics."""

import asyncio
import urllib.request
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from aisle.gateway.v1.gateway_pb2 import SearchRequest
from deploy.local.stack import Stack
from runtime.serving.channel import open_channel

SERVICES = {
    "gateway": "aisle.gateway.v1.GatewayService",
    "intent": "aisle.intent.v1.IntentService",
    "retrieval": "aisle.retrieval.v1.RetrievalService",
    "ranking": "aisle.ranking.v1.RankingService",
}
MODELS = {"intent": "intent", "retrieval": "retriever", "ranking": "ranker"}


@pytest.mark.parametrize("name", SERVICES)
async def test_health_answers_for_the_process_and_its_service(stack: Stack, name: str) -> None:
    async with open_channel(stack.addresses[name]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICES[name]):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", SERVICES)
async def test_reflection_describes_the_service(stack: Stack, name: str) -> None:
    async with open_channel(stack.addresses[name]) as channel:
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICES[name])
        answer = await reflection.ServerReflectionInfo(iter([request])).read()
    assert len(answer.file_descriptor_response.file_descriptor_proto) >= 1


async def metrics(stack: Stack, name: str) -> dict[str, Any]:
    """Return a process's metrics by the name of their family."""
    url = f"http://{stack.metrics[name]}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read().decode())
    return {family.name: family for family in text_string_to_metric_families(text)}


@pytest.mark.parametrize("name", SERVICES)
async def test_metrics_are_parsed_and_count_the_calls(gateway: Any, stack: Stack, name: str) -> None:
    await gateway.Search(SearchRequest(query="shoe"))
    families = await metrics(stack, name)
    counted = {
        sample.labels["grpc_service"]
        for sample in families["grpc_server_handled"].samples
        if sample.labels["grpc_code"] == "OK" and sample.value >= 1
    }
    assert SERVICES[name] in counted
    assert {"aisle_stage_seconds", "aisle_inflight", "grpc_server_handling_seconds"} <= set(families)


@pytest.mark.parametrize("name", MODELS)
async def test_metrics_tell_which_model_is_served(stack: Stack, name: str) -> None:
    models = {sample.labels["model"] for sample in (await metrics(stack, name))["aisle_model_info"].samples}
    assert MODELS[name] in models
