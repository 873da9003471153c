"""What callers get while a service is dead, frozen or hurried: an answer that says what is missing."""

import asyncio
import time
import urllib.request
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import FindSimilarRequest, RecommendRequest, UpsertProductsRequest
from deploy.local.stack import Stack
from tests.fault.searching import missing, reasons, search, searching, until_whole
from tests.rpc_errors import error_of

OPTIONAL = {"intent": "STAGE_INTENT", "ranking": "STAGE_RANKING"}


async def _metric(stack: Stack, process: str, family: str, **labels: str) -> float:
    url = f"http://{stack.metrics[process]}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read().decode())
    samples = [
        sample
        for each in text_string_to_metric_families(text)
        for sample in each.samples
        if sample.name == family and labels.items() <= sample.labels.items()
    ]
    return sum(sample.value for sample in samples)


async def _popular_list_is_kept(stack: Stack) -> None:
    """Wait until the gateway has read the popular products once more."""
    reads = {"family": "grpc_server_handled_total", "grpc_method": "GetProducts", "grpc_code": "OK"}
    before = await _metric(stack, "retrieval", **reads)
    async with asyncio.timeout(30):
        while True:
            if await _metric(stack, "retrieval", **reads) >= before + 2:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", OPTIONAL)
async def test_service_killed_during_searches_is_left_out_and_comes_back(
    stack: Stack, gateway: Any, name: str
) -> None:
    await until_whole(gateway)
    async with searching(gateway) as searches:
        await searches.more(20)
        await asyncio.to_thread(stack.kill, name)
        killed = time.monotonic()
        await searches.more(60)
        restarting = time.monotonic()
        await asyncio.to_thread(stack.restart, name)
        await until_whole(gateway)
    without = [answer for began, answer in searches.answers if killed <= began < restarting]
    assert len(without) >= 60
    assert all(OPTIONAL[name] in missing(answer) and answer.hits for answer in without)
    assert all("unavailable" in reasons(answer) for answer in without)


@pytest.mark.parametrize("name", OPTIONAL)
async def test_frozen_service_is_left_out_inside_the_deadline(stack: Stack, gateway: Any, name: str) -> None:
    await until_whole(gateway)
    stack.freeze(name)
    try:
        start = time.monotonic()
        first = await search(gateway, timeout=3)
        took = time.monotonic() - start
        others = await asyncio.gather(*(search(gateway, timeout=3) for _ in range(5)))
        start = time.monotonic()
        last = await search(gateway, timeout=3)
        last_took = time.monotonic() - start
    finally:
        stack.thaw(name)
    assert all(missing(answer) == {OPTIONAL[name]} for answer in (first, *others, last))
    assert all(len(answer.hits) == 10 for answer in (first, *others, last))
    assert reasons(first) == {"late"}
    assert took < 3
    assert reasons(last) == {"unavailable"}  # after some silence it is no longer asked each time
    assert last_took < took
    await until_whole(gateway)


async def test_short_deadline_with_a_frozen_ranking_still_gets_its_answer(stack: Stack, gateway: Any) -> None:
    await until_whole(gateway)
    stack.freeze("ranking")
    try:
        answer = await search(gateway, timeout=0.6)
    finally:
        stack.thaw("ranking")
    assert missing(answer) == {"STAGE_RANKING"}
    assert reasons(answer) == {"late"}
    await until_whole(gateway)


async def test_without_intent_the_reading_is_neutral_and_without_ranking_the_order_is_fused(
    stack: Stack, gateway: Any
) -> None:
    await until_whole(gateway)
    for name in OPTIONAL:
        await asyncio.to_thread(stack.kill, name)
    answer = await search(gateway)
    for name in OPTIONAL:
        await asyncio.to_thread(stack.restart, name)
    assert answer.understanding.language == "und" and not answer.understanding.intents
    fused = [hit.parts.fused for hit in answer.hits]
    assert fused == sorted(fused, reverse=True) == [hit.score for hit in answer.hits]
    assert not any(hit.parts.HasField("click_probability") for hit in answer.hits)
    assert {model.name for model in answer.info.models} == {"retriever"}
    await until_whole(gateway)


async def test_without_retrieval_popular_products_are_answered(stack: Stack, gateway: Any) -> None:
    await _popular_list_is_kept(stack)
    await asyncio.to_thread(stack.kill, "retrieval")
    try:
        found = await search(gateway)
        recommended = await gateway.Recommend(RecommendRequest(page_size=5), timeout=10)
        following = await gateway.Recommend(
            RecommendRequest(page_size=5, page_token=recommended.next_page_token), timeout=10
        )
        similar = await gateway.FindSimilar(FindSimilarRequest(product_id="any"), timeout=10)
        write = UpsertProductsRequest(products=[Product(id="a", title={"en": "b"})])
        refused = await error_of(gateway.UpsertProducts(write, timeout=10))
    finally:
        await asyncio.to_thread(stack.restart, "retrieval")
    for answer in (found, recommended, following, similar):
        assert missing(answer) == {"STAGE_RETRIEVAL"}
        assert answer.hits and all(hit.product.title for hit in answer.hits)
    ids = [hit.product.id for answer in (recommended, following) for hit in answer.hits]
    assert len(set(ids)) == 10
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    await until_whole(gateway)


async def test_frozen_retrieval_is_replaced_by_popular_products_inside_the_deadline(
    stack: Stack, gateway: Any
) -> None:
    await _popular_list_is_kept(stack)
    stack.freeze("retrieval")
    try:
        answer = await search(gateway, timeout=2)
    finally:
        stack.thaw("retrieval")
    assert missing(answer) == {"STAGE_RETRIEVAL"}
    assert answer.hits
    await until_whole(gateway)


async def test_degraded_answers_are_counted_by_stage_and_reason(stack: Stack, gateway: Any) -> None:
    await until_whole(gateway)
    labels = {"family": "aisle_degraded_total", "stage": "ranking", "reason": "unavailable"}
    before = await _metric(stack, "gateway", **labels)
    await asyncio.to_thread(stack.kill, "ranking")
    for _ in range(3):
        await search(gateway)
    await asyncio.to_thread(stack.restart, "ranking")
    assert await _metric(stack, "gateway", **labels) == before + 3
    await until_whole(gateway)
