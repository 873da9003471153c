"""The ranking process, seen from outside, with the published model."""

import asyncio
import math
import re
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, Surface
from aisle.ranking.v1.ranking_pb2_grpc import RankingServiceStub
from runtime.serving.channel import open_channel
from tests.ranking.builders import candidates, products, rich_request
from tests.runtime.processes import Running, running

NAN = math.nan


@pytest.fixture(scope="module")
def server(models_root: Path) -> Iterator[Running]:
    flags = ("--models", str(models_root), "--port", "0", "--metrics-port", "0")
    only_clicks = ("--home.fused", "0", "--home.relevance", "0", "--home.conversion", "0")
    undiverse = ("--home.arrangement.diversity.strength", "0")
    with running("services.ranking", *flags, *only_clicks, *undiverse) as process:
        yield process


@pytest.fixture
async def stub(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield RankingServiceStub(channel)


@pytest.mark.parametrize("n", [1, 2, 200, 1000])
async def test_every_candidate_is_ordered_once_with_its_predictions(stub: Any, n: int) -> None:
    answer: RankResponse = await stub.Rank(rich_request(n))
    assert sorted(answer.order) == list(range(n))
    assert list(answer.scores) == sorted(answer.scores, reverse=True)
    for column in (answer.click_probabilities, answer.conversion_probabilities, answer.relevances):
        assert len(column) == n
        assert all(0 <= probability <= 1 for probability in column)
    assert [model.name for model in answer.models] == ["ranker"]
    assert {stage.stage for stage in answer.stages} == {
        "ranking/features",
        "ranking/model",
        "ranking/blend",
    }


async def test_bare_candidates_without_understanding_and_user_are_ordered(stub: Any) -> None:
    answer = await stub.Rank(RankRequest(candidates=candidates(products(20))))
    assert list(answer.order) == list(range(20))  # nothing but the fused score is known


async def test_surface_chooses_its_own_weights(stub: Any) -> None:
    request = rich_request(50)
    request.surface = Surface.SURFACE_HOME
    _columns(request).categories.values[:] = ["clothing/t-shirt"] * 3  # one that the model knows
    _columns(request).categories.indices[:] = [0] * 50
    answer = await stub.Rank(request)
    clicks = list(answer.click_probabilities)
    assert clicks == sorted(clicks, reverse=True)


async def test_unknown_values_are_counted(stub: Any, server: Running) -> None:
    def counted(field: str) -> float:
        url = f"http://127.0.0.1:{server.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            text = page.read().decode()
        found = re.search(rf'aisle_ranking_unknown_values_total{{field="{field}"}} (\S+)', text)
        return float(found[1]) if found else 0.0

    fields = ("price", "rating", "positive_share", "create_time")
    before = [await asyncio.to_thread(counted, field) for field in fields]
    await stub.Rank(RankRequest(candidates=candidates(products(20, prices=[NAN] * 15 + [9.0] * 5))))
    after = [await asyncio.to_thread(counted, field) for field in fields]
    assert [b - a for a, b in zip(before, after, strict=True)] == [15, 20, 20, 20]


async def test_same_request_gives_the_same_answer(stub: Any) -> None:
    first, second = await stub.Rank(rich_request(100)), await stub.Rank(rich_request(100))
    assert list(first.order) == list(second.order)


def _columns(request: RankRequest) -> Any:
    return request.candidates.products


BROKEN: dict[str, Callable[[RankRequest], Any]] = {
    "candidates.products.prices": lambda r: _columns(r).prices.pop(),
    "candidates.products.ratings": lambda r: _columns(r).ratings.append(4.0),
    "candidates.products.review_counts": lambda r: _columns(r).review_counts.pop(),
    "candidates.products.available": lambda r: _columns(r).available.pop(),
    "candidates.products.create_seconds": lambda r: _columns(r).create_seconds.pop(),
    "candidates.products.brands.indices": lambda r: _columns(r).brands.indices.pop(),
    "candidates.products.attributes['color'].indices": lambda r: (
        _columns(r).attributes["color"].indices.pop()
    ),
    "candidates.fused_scores": lambda r: r.candidates.fused_scores.pop(),
    "candidates.history_affinities": lambda r: r.candidates.history_affinities.pop(),
    "candidates.channels[1].ranks": lambda r: r.candidates.channels[1].ranks.pop(),
    "candidates.channels[0].scores": lambda r: r.candidates.channels[0].scores.pop(),
    "reviews.neutral": lambda r: r.reviews.neutral.pop(),
    "reviews.aspects['quality'].negative": lambda r: r.reviews.aspects["quality"].negative.pop(),
    "history.prices": lambda r: r.history.prices.pop(),
}


@pytest.mark.parametrize("field", BROKEN)
async def test_column_of_another_length_is_named(stub: Any, field: str) -> None:
    request = rich_request(5)
    BROKEN[field](request)
    assert await _violations(stub, request) == [field]


def _set(path: Callable[[RankRequest], Any], value: Any) -> Callable[[RankRequest], Any]:
    def change(request: RankRequest) -> None:
        path(request)[3] = value

    return change


WRONG: dict[str, tuple[str, Callable[[RankRequest], Any]]] = {
    "NaN score": ("candidates.fused_scores", _set(lambda r: r.candidates.fused_scores, NAN)),
    "infinite channel score": (
        "candidates.channels[0].scores",
        _set(lambda r: r.candidates.channels[0].scores, math.inf),
    ),
    "negative rank": ("candidates.channels[0].ranks", _set(lambda r: r.candidates.channels[0].ranks, -1)),
    "NaN affinity": ("candidates.history_affinities", _set(lambda r: r.candidates.history_affinities, NAN)),
    "negative price": ("candidates.products.prices", _set(lambda r: _columns(r).prices, -1.0)),
    "infinite price": ("candidates.products.prices", _set(lambda r: _columns(r).prices, math.inf)),
    "rating of 6": ("candidates.products.ratings", _set(lambda r: _columns(r).ratings, 6.0)),
    "share of 2": (
        "candidates.products.positive_review_shares",
        _set(lambda r: _columns(r).positive_review_shares, 2.0),
    ),
    "negative count": ("candidates.products.review_counts", _set(lambda r: _columns(r).review_counts, -1)),
    "brand out of range": (
        "candidates.products.brands.indices",
        _set(lambda r: _columns(r).brands.indices, 9),
    ),
    "index below -1": (
        "candidates.products.categories.indices",
        _set(lambda r: _columns(r).categories.indices, -2),
    ),
    "negative number of reviews": ("reviews.positive", _set(lambda r: r.reviews.positive, -1)),
    "negative number of clauses": (
        "reviews.aspects['quality'].positive",
        _set(lambda r: r.reviews.aspects["quality"].positive, -1),
    ),
    "NaN bound": (
        "understanding.price.maximum",
        lambda r: r.understanding.price.MergeFrom(type(r.understanding.price)(maximum=NAN)),
    ),
    "unknown surface": ("surface", lambda r: r.MergeFrom(RankRequest(surface=77))),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", WRONG)
async def test_value_out_of_range_is_named(stub: Any, case: str) -> None:
    field, change = WRONG[case]
    request = rich_request(5)
    change(request)
    assert await _violations(stub, request) == [field]


@pytest.mark.parametrize("n", [0, 1001, 5000])
async def test_no_candidates_and_too_many_are_refused(stub: Any, n: int) -> None:
    request = RankRequest(candidates=candidates(products(n))) if n else RankRequest()
    assert await _violations(stub, request) == ["candidates.products.ids"]


async def test_overlong_history_is_refused(stub: Any) -> None:
    request = rich_request(5)
    request.history.CopyFrom(products(51))
    assert await _violations(stub, request) == ["history.ids"]


async def _violations(stub: Any, request: RankRequest) -> list[str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Rank(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    bad = error_details_pb2.BadRequest()
    assert status is not None and status.details[0].Unpack(bad)
    return [violation.field for violation in bad.field_violations]
