"""What the flow makes of services that refuse, fail or answer nonsense, over real calls."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.serving_pb2 import Degradation, Stage
from aisle.catalog.v1.words_pb2 import DidYouMean
from aisle.gateway.v1.gateway_pb2 import ConstraintFate, SearchRequest, SuggestRequest
from aisle.intent.v1.intent_pb2 import Constraint, ConstraintOperator, LabelProbability, Understanding
from gateway.backends import Backends
from gateway.flow import Flow
from gateway.popular import PopularList
from gateway.reads import search
from gateway.settings import GatewaySettings
from gateway.suggestions import suggest
from runtime.serving.errors import InvalidArgument, NotFound, Unavailable
from runtime.state.sqlite import SqliteState
from tests.gateway.flows import flow_of, ids_of, told_of, wish_of
from tests.gateway.scripted_services import N, ScriptedServices, scripted_services

CODES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
    grpc.StatusCode.INTERNAL: "error",
    grpc.StatusCode.UNIMPLEMENTED: "error",
}


@pytest.fixture
async def services() -> AsyncIterator[tuple[ScriptedServices, Backends]]:
    async with scripted_services() as served:
        yield served


@pytest.fixture
def popular(services: tuple[ScriptedServices, Backends]) -> PopularList:
    return PopularList(services[1], size=N)


@pytest.fixture(params=["separate", "shared"])
def flow(
    request: pytest.FixtureRequest,
    services: tuple[ScriptedServices, Backends],
    popular: PopularList,
    tmp_path: Path,
) -> Any:
    state = SqliteState(tmp_path / "events.db")
    yield flow_of(GatewaySettings(encoder_pass=request.param), services[1], state, popular)
    state.close()


async def test_nothing_is_missing_when_all_answer(services: Any, flow: Flow) -> None:
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p5", "p4", "p3"]
    assert not answer.info.degraded


@pytest.mark.parametrize("code", CODES)
async def test_failing_ranking_gives_the_fused_order(
    services: Any, flow: Flow, code: grpc.StatusCode
) -> None:
    services[0].failures["Rank"] = code
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p0", "p1", "p2"]
    assert told_of(answer) == {"STAGE_RANKING": CODES[code]}


async def test_ranking_that_refuses_what_services_sent_is_no_fault_of_the_caller(
    services: Any, flow: Flow
) -> None:
    services[0].failures["Rank"] = grpc.StatusCode.INVALID_ARGUMENT
    assert told_of(await flow.answer(wish_of())) == {"STAGE_RANKING": "error"}


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 3, 4, 4], [1, 2, 3, 4, 5, 6], [-1, 0, 1, 2, 3, 4]])
async def test_order_that_does_not_fit_the_candidates_is_not_used(
    services: Any, flow: Flow, order: list[int]
) -> None:
    services[0].order = order
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p0", "p1", "p2"]
    assert told_of(answer) == {"STAGE_RANKING": "error"}


async def test_candidates_that_rules_hide_are_left_out(services: Any, flow: Flow) -> None:
    services[0].order, services[0].hidden = [4, 1], N - 2
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p4", "p1"]
    assert not told_of(answer)


@pytest.mark.parametrize("code", CODES)
async def test_failing_intent_gives_a_neutral_reading(
    services: Any, flow: Flow, code: grpc.StatusCode
) -> None:
    services[0].failures["Understand"] = code
    answer = await flow.answer(wish_of())
    assert answer.understanding == Understanding(language="und")
    assert told_of(answer) == {"STAGE_INTENT": CODES[code]}


@pytest.mark.parametrize("method", ["Understand", "Retrieve"])
async def test_query_a_service_refuses_is_the_callers_to_mend(services: Any, flow: Flow, method: str) -> None:
    services[0].failures[method] = grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(InvalidArgument, match="as the test wishes"):
        await flow.answer(wish_of())


def _at_most(price: float) -> Constraint:
    operator = ConstraintOperator.CONSTRAINT_OPERATOR_LESS_EQUAL
    return Constraint(key="price", operator=operator, number=price, confidence=1)


async def test_retrieval_is_asked_again_only_for_what_its_answer_does_not_keep(
    services: Any, flow: Flow
) -> None:
    services[0].constraints = [_at_most(250)]
    answer = await flow.answer(wish_of())
    assert services[0].filters == ["", "((price <= 250))"]
    assert [each.fate for each in answer.constraints] == [ConstraintFate.CONSTRAINT_FATE_APPLIED]
    services[0].constraints = [_at_most(500)]  # what all six products cost at most
    services[0].filters.clear()
    answer = await flow.answer(wish_of())
    assert services[0].filters == [""]
    assert [each.fate for each in answer.constraints] == [ConstraintFate.CONSTRAINT_FATE_APPLIED]


@pytest.mark.parametrize("code", [*CODES, grpc.StatusCode.INVALID_ARGUMENT])
async def test_without_a_second_answer_the_first_one_stays_and_says_so(
    services: Any, flow: Flow, code: grpc.StatusCode
) -> None:
    services[0].constraints = [_at_most(250)]
    services[0].failures["Retrieve with a filter"] = code
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p5", "p4", "p3"]
    assert [each.fate for each in answer.constraints] == [ConstraintFate.CONSTRAINT_FATE_NO_TIME]
    assert told_of(answer) == {"STAGE_BUDGET": CODES.get(code, "error")}


async def test_product_that_does_not_exist_istold(services: Any, flow: Flow) -> None:
    services[0].failures["Retrieve"] = grpc.StatusCode.NOT_FOUND
    with pytest.raises(NotFound):
        await flow.answer(wish_of())


async def test_what_retrieval_left_out_is_passed_on(services: Any, flow: Flow) -> None:
    services[0].degraded = [Degradation(stage=Stage.STAGE_DENSE, reason="late: the encoder")]
    assert told_of(await flow.answer(wish_of())) == {"STAGE_DENSE": "late"}


async def test_products_deleted_meanwhile_give_their_places_to_the_next(services: Any, flow: Flow) -> None:
    services[0].deleted = {"p5", "p3"}
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p4", "p2", "p1"]
    assert answer.next_page_token


async def test_later_page_goes_on_where_the_first_ended_whatever_was_deleted(
    services: Any, flow: Flow
) -> None:
    first = await flow.answer(wish_of(size=2))
    services[0].deleted = {"p5", "p3"}
    services[0].order = list(range(N))
    second = await flow.answer(wish_of(size=2, page_token=first.next_page_token))
    third = await flow.answer(wish_of(size=2, page_token=second.next_page_token))
    assert [ids_of(first), ids_of(second), ids_of(third)] == [["p5", "p4"], ["p2", "p1"], ["p0"]]
    assert not third.next_page_token


async def test_later_page_without_retrieval_holds_the_popular_products_of_it(
    services: Any, flow: Flow, popular: PopularList
) -> None:
    first = await flow.answer(wish_of())
    services[0].failures["GetProducts"] = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(Unavailable, match="token stays good"):
        await flow.answer(wish_of(size=3, page_token=first.next_page_token))
    del services[0].failures["GetProducts"]
    await popular.refresh()
    services[0].failures["GetProducts"] = grpc.StatusCode.UNAVAILABLE
    second = await flow.answer(wish_of(size=3, page_token=first.next_page_token))
    assert ids_of(second) == ["p2", "p1", "p0"]
    assert told_of(second) == {"STAGE_RETRIEVAL": "unavailable"}


async def test_popular_products_have_pages(services: Any, flow: Flow, popular: PopularList) -> None:
    await popular.refresh()
    services[0].failures |= dict.fromkeys(("Retrieve", "GetProducts"), grpc.StatusCode.UNAVAILABLE)
    first = await flow.answer(wish_of(size=4))
    second = await flow.answer(wish_of(size=4, page_token=first.next_page_token))
    assert ids_of(first) + ids_of(second) == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert not second.next_page_token


@pytest.mark.parametrize("method", ["Retrieve", "GetProducts"])
@pytest.mark.parametrize("code", CODES)
async def test_failing_retrieval_gives_popular_products(
    services: Any, flow: Flow, popular: PopularList, method: str, code: grpc.StatusCode
) -> None:
    await popular.refresh()
    services[0].failures[method] = code
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p0", "p1", "p2"]
    assert told_of(answer) == {"STAGE_RETRIEVAL": CODES[code]}


async def test_popular_products_of_the_querys_category_come_first(
    services: Any, flow: Flow, popular: PopularList
) -> None:
    await popular.refresh()
    services[0].failures["Retrieve"] = grpc.StatusCode.UNAVAILABLE
    services[0].categories = [LabelProbability(label="shoe", probability=0.9)]
    answer = await flow.answer(wish_of())
    assert ids_of(answer) == ["p3", "p5", "p0"]
    services[0].categories = [LabelProbability(label="shoe", probability=0.3)]
    assert ids_of(await flow.answer(wish_of())) == ["p0", "p1", "p2"]


@pytest.mark.parametrize("method", ["Retrieve", "GetProducts"])
async def test_popular_products_do_not_stand_in_for_what_a_filter_lets_through(
    services: Any, flow: Flow, popular: PopularList, method: str
) -> None:
    await popular.refresh()
    services[0].failures[method] = grpc.StatusCode.UNAVAILABLE
    wish = wish_of()
    wish.source.filter = "price < 100"
    with pytest.raises(Unavailable, match="the filter cannot be kept"):
        await flow.answer(wish)


async def test_popular_variants_are_one_hit_when_collapsed(
    services: Any, flow: Flow, popular: PopularList
) -> None:
    services[0].groups = {"p0": "g", "p1": "g"}
    await popular.refresh()
    services[0].failures["Retrieve"] = grpc.StatusCode.UNAVAILABLE
    assert ids_of(await flow.answer(wish_of())) == ["p0", "p1", "p2"]
    wish = wish_of()
    wish.source.collapse_variants = True
    assert ids_of(await flow.answer(wish)) == ["p0", "p2", "p3"]


async def test_popular_list_stays_when_it_cannot_be_read_anew(
    services: Any, flow: Flow, popular: PopularList
) -> None:
    await popular.refresh()
    services[0].failures["Retrieve"] = grpc.StatusCode.UNAVAILABLE
    await popular.refresh()
    assert len(popular) == N


async def test_without_retrieval_and_popular_products_the_answer_is_unavailable(
    services: Any, flow: Flow
) -> None:
    services[0].failures["Retrieve"] = grpc.StatusCode.UNAVAILABLE
    with pytest.raises(Unavailable, match="retrieval is gone"):
        await flow.answer(wish_of())


@pytest.mark.parametrize("code", CODES)
async def test_failing_suggestions_are_none_andtold(services: Any, code: grpc.StatusCode) -> None:
    services[0].failures["Suggest"] = code
    answer = await suggest(services[1], GatewaySettings().budget(), SuggestRequest(prefix="sh", limit=3))
    assert not answer.suggestions
    assert [(each.stage, each.reason.partition(":")[0]) for each in answer.info.degraded] == [
        (Stage.STAGE_RETRIEVAL, CODES[code])
    ]


async def test_suggestions_are_passed_on(services: Any) -> None:
    answer = await suggest(services[1], GatewaySettings().budget(), SuggestRequest(prefix="sh", limit=3))
    assert [each.text for each in answer.suggestions] == ["sh…"] * 3
    assert not answer.info.degraded


async def test_corrected_query_is_what_is_understood_and_ranked(services: Any, flow: Flow) -> None:
    services[0].did_you_mean = DidYouMean(query="shoe", applied=True)
    services[0].languages = {"shoe": "zh"}
    answer = await search(flow, SearchRequest(query="sheo"))
    assert services[0].understood == ["sheo", "shoe"]
    assert answer.understanding.language == services[0].ranked[0].understanding.language == "zh"
    assert not answer.info.degraded


@pytest.mark.parametrize("meant", [None, DidYouMean(query="shoe"), DidYouMean(query="s" * 513, applied=True)])
async def test_other_queries_are_understood_once(services: Any, flow: Flow, meant: DidYouMean | None) -> None:
    services[0].did_you_mean = meant
    await search(flow, SearchRequest(query="sheo"))
    assert services[0].understood == ["sheo"]


async def test_intent_that_fails_for_the_corrected_query_leaves_the_first_reading(
    services: Any, flow: Flow
) -> None:
    services[0].did_you_mean = DidYouMean(query="shoe", applied=True)
    services[0].failures["Understand shoe"] = grpc.StatusCode.UNAVAILABLE
    answer = await search(flow, SearchRequest(query="sheo"))
    assert answer.understanding.language == "en"
    assert {each.stage: each.reason.partition(":")[0] for each in answer.info.degraded} == {
        Stage.STAGE_INTENT: "unavailable"
    }


async def test_intent_that_is_gone_is_not_asked_again(services: Any, flow: Flow) -> None:
    services[0].did_you_mean = DidYouMean(query="shoe", applied=True)
    services[0].failures["Understand"] = grpc.StatusCode.UNAVAILABLE
    await search(flow, SearchRequest(query="sheo"))
    assert set(services[0].understood) == {"sheo"}


async def test_correction_is_passed_on_and_exact_spelling_asks_for_none(services: Any, flow: Flow) -> None:
    services[0].did_you_mean = DidYouMean(query="shoe", applied=True)
    answer = await search(flow, SearchRequest(query="sheo"))
    assert answer.did_you_mean == DidYouMean(query="shoe", applied=True)
    exact = await search(flow, SearchRequest(query="sheo", exact_spelling=True))
    assert not exact.HasField("did_you_mean")
