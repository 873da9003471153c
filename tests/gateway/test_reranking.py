"""The tier after ranking, over real calls: when it is asked, and what becomes of the answer without it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.catalog.v1.words_pb2 import DidYouMean
from aisle.ranking.v1.ranking_pb2 import RankRequest
from gateway.backends import Backends
from gateway.budget import Budget
from gateway.flow import Flow
from gateway.pace import Pace
from gateway.settings import GatewaySettings
from runtime.observability.metrics import DEGRADED
from runtime.serving import admission, deadline
from runtime.state.sqlite import SqliteState
from tests.gateway.flows import flow_of, ids_of, told_of, wish_of
from tests.gateway.scripted_services import N, ScriptedServices, scripted_services

READ = 4
CODES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
    grpc.StatusCode.INTERNAL: "error",
    grpc.StatusCode.INVALID_ARGUMENT: "error",
    grpc.StatusCode.FAILED_PRECONDITION: "error",
    grpc.StatusCode.UNIMPLEMENTED: "error",
}
RANKED, REORDERED = ["p5", "p4", "p3"], ["p0", "p1", "p2"]


@pytest.fixture
async def services() -> AsyncIterator[tuple[ScriptedServices, Backends]]:
    async with scripted_services() as served:
        yield served


@pytest.fixture
def flow_with(services: Any, tmp_path: Path) -> Any:
    state = SqliteState(tmp_path / "events.db")

    def build(**chosen: Any) -> Flow:
        settings = GatewaySettings(**{"rerank": READ, "reranking_least_seconds": 0.0} | chosen)
        return flow_of(settings, services[1], state)

    yield build
    state.close()


async def test_it_is_off_unless_asked_for(services: Any, flow_with: Callable[..., Flow]) -> None:
    answer = await flow_with(rerank=GatewaySettings().rerank).answer(wish_of())
    assert ids_of(answer) == RANKED
    assert not services[0].reread


async def test_the_first_hits_are_read_and_the_new_order_is_the_answers(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    answer = await flow_with().answer(wish_of())
    (asked,) = services[0].reread
    assert list(asked.rows) == services[0].order[:READ]
    assert list(asked.passages) == [f"text of p{row}" for row in asked.rows]
    assert (asked.request, asked.query) == (services[0].ranked[0], "shoe")
    assert ids_of(answer) == REORDERED
    assert [hit.score for hit in answer.hits] == [100.0, 99.0, 98.0]
    read = [hit.parts.HasField("cross_encoder_relevance") for hit in answer.hits]
    assert read == [False, False, True]  # p2 was the last of the four that were read
    assert answer.hits[2].parts.cross_encoder_relevance == 0.25
    assert [model.name for model in answer.info.models] == ["ranker", "cross_encoder"]
    assert "reranking" in {each.stage for each in answer.info.stages}
    assert not told_of(answer)


async def test_a_misspelt_query_is_read_as_it_was_searched_for(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    services[0].did_you_mean = DidYouMean(query="shoes", applied=True)
    await flow_with().answer(wish_of())
    assert services[0].reread[0].query == "shoes"


async def test_later_pages_go_on_in_the_new_order(services: Any, flow_with: Callable[..., Flow]) -> None:
    flow = flow_with()
    first = await flow.answer(wish_of(size=2))
    second = await flow.answer(wish_of(size=2, page_token=first.next_page_token))
    assert [ids_of(first), ids_of(second)] == [["p0", "p1"], ["p2", "p3"]]
    assert [hit.score for hit in second.hits] == [98.0, 97.0]
    assert len(services[0].reread) == 1


async def test_too_little_time_leaves_the_order_of_rank_and_istold(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    before = DEGRADED.labels("budget", "late")._value.get()
    call = admission.begin()
    answer = await flow_with(reranking_seconds=0.05, reranking_least_seconds=0.06).answer(wish_of())
    assert ids_of(answer) == RANKED
    assert told_of(answer) == {"STAGE_BUDGET": "late"}
    assert not services[0].reread
    assert DEGRADED.labels("budget", "late")._value.get() == before + 1
    assert not call.strained  # it is what may be left out, and no reason to refuse callers


@pytest.mark.parametrize("code", CODES)
async def test_ranking_that_is_gone_in_between_leaves_the_order_of_rank(
    services: Any, flow_with: Callable[..., Flow], code: grpc.StatusCode
) -> None:
    services[0].failures["Rerank"] = code
    answer = await flow_with().answer(wish_of())
    assert ids_of(answer) == RANKED
    assert [hit.score for hit in answer.hits] == [6.0, 5.0, 4.0]
    assert told_of(answer) == {"STAGE_RERANKING": CODES[code]}
    assert [model.name for model in answer.info.models] == ["ranker"]


@pytest.mark.parametrize("reordered", [[0, 1, 2], [0, 1, 2, 3, 4, 4], [1, 2, 3, 4, 5, 6]])
async def test_order_that_does_not_fit_is_not_used(
    services: Any, flow_with: Callable[..., Flow], reordered: list[int]
) -> None:
    services[0].reordered = reordered
    answer = await flow_with().answer(wish_of())
    assert ids_of(answer) == RANKED
    assert told_of(answer) == {"STAGE_RERANKING": "error"}


async def test_passages_of_which_nothing_is_said_are_an_error(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    services[0].unread = 1
    answer = await flow_with().answer(wish_of())
    assert ids_of(answer) == RANKED
    assert told_of(answer) == {"STAGE_RERANKING": "error"}


async def test_products_that_are_gone_or_have_no_text_are_not_read(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    services[0].deleted, services[0].textless = {"p5"}, {"p3"}
    answer = await flow_with().answer(wish_of())
    assert list(services[0].reread[0].rows) == [4, 2]
    assert ids_of(answer) == REORDERED


async def test_retrieval_of_an_older_version_leaves_the_order_of_rank(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    services[0].old = True
    answer = await flow_with().answer(wish_of())
    assert ids_of(answer) == RANKED
    assert told_of(answer) == {"STAGE_RERANKING": "error"}


async def test_what_was_late_is_passed_over_until_its_pace_is_forgotten(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    services[0].failures["Rerank"] = grpc.StatusCode.DEADLINE_EXCEEDED
    flow = flow_with(reranking_seconds=5.0)
    assert told_of(await flow.answer(wish_of())) == {"STAGE_RERANKING": "late"}
    services[0].failures.clear()
    told = []
    for _ in range(20):
        deadline.begin(8.0)  # .6 of which is a little less than what was not enough
        told.append(told_of(await flow.answer(wish_of())))
    assert told[0] == {"STAGE_BUDGET": "late"}
    assert told[-1] == {}


def test_pace_follows_what_was_seen_and_is_forgotten_where_nothing_is() -> None:
    pace = Pace()
    assert pace.allows(0.0)
    pace.took(0.2)
    assert pace.seconds == 0.2
    pace.took(0.4)
    assert pace.seconds == pytest.approx(0.22)
    assert pace.allows(0.23) and not pace.allows(0.21)
    pace.outlasted(0.5)
    pace.outlasted(0.3)
    assert pace.seconds == 0.5
    passed_over = 0
    while not pace.allows(0.4):
        passed_over += 1
    assert passed_over == 12  # .5 · .98^12 is the first below .4


async def test_nothing_to_read_asks_nobody(services: Any, flow_with: Callable[..., Flow]) -> None:
    services[0].textless = {f"p{row}" for row in range(N)}
    answer = await flow_with().answer(wish_of())
    assert ids_of(answer) == RANKED
    services[0].order, services[0].hidden = [], N
    assert not ids_of(await flow_with().answer(wish_of()))
    assert not services[0].reread
    assert not told_of(answer)


async def test_a_request_that_gives_it_no_weight_does_not_pay_for_it(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    unweighed = RankRequest(weights=ObjectiveWeights(cross_encoder=0))
    answer = await flow_with().answer(replace(wish_of(), ranking=unweighed))
    assert ids_of(answer) == RANKED
    assert not services[0].reread


async def test_without_a_query_or_without_ranking_there_is_nothing_to_read_beside(
    services: Any, flow_with: Callable[..., Flow]
) -> None:
    await flow_with().answer(replace(wish_of(), query=""))
    services[0].failures["Rank"] = grpc.StatusCode.UNAVAILABLE
    answer = await flow_with().answer(wish_of())
    assert told_of(answer) == {"STAGE_RANKING": "unavailable"}
    assert not services[0].reread


def test_its_share_leaves_time_for_the_products() -> None:
    budget: Budget = GatewaySettings().budget()
    assert budget.reranking(60) == GatewaySettings().reranking_seconds
    assert budget.reranking(0.1) == 0  # less than is worth beginning
    for remaining in (0.0, 0.01, 0.2, 0.6):
        assert (
            budget.products(remaining - budget.reranking(remaining)) >= 0.4 * max(0, remaining - 0.005) - 1e-9
        )
