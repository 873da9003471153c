"""More searches at once than can be answered: the gateway refuses the rest at its door."""

import asyncio
import urllib.request
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from aisle.gateway.v1.gateway_pb2 import SearchResponse
from deploy.local.stack import Stack
from gateway.settings import GatewaySettings
from tests.fault.searching import missing, search, until_whole

_MANY = 200
_SEARCH = {"grpc_service": "aisle.gateway.v1.GatewayService", "grpc_method": "Search"}


async def test_searches_beyond_the_limit_are_refused_and_the_others_answered_whole(
    stack: Stack, gateway: Any
) -> None:
    await until_whole(gateway)
    answers = await asyncio.gather(*(search(gateway) for _ in range(_MANY)), return_exceptions=True)
    answered = [each for each in answers if isinstance(each, SearchResponse)]
    refused = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert answered and refused and len(answered) + len(refused) == _MANY
    # No service behind the gateway is asked more than it takes on, which would cost an answer a stage.
    assert not set().union(*map(missing, answered))
    assert {each.code() for each in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    status = rpc_status.from_call(refused[0])  # type: ignore[arg-type]
    assert status is not None and status.details[0].Is(error_details_pb2.RetryInfo.DESCRIPTOR)
    told = await asyncio.to_thread(_metrics, stack.metrics["gateway"])
    assert told["aisle_shed_total"] >= len(refused)
    assert GatewaySettings().min_concurrent_rpcs <= told["aisle_concurrency_limit"] < _MANY
    await until_whole(gateway)


def _metrics(address: str) -> dict[str, float]:
    """The calls refused for their number, and how many searches are served at once."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if sample.labels in ({"reason": "concurrency"}, _SEARCH)
    }
