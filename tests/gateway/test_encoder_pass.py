"""One encoder pass for intent and retrieval, or one of each: what the gateway asks of them, and when."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.serving_pb2 import Stage
from aisle.catalog.v1.words_pb2 import DidYouMean
from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.intent.v1.intent_pb2 import Constraint, ConstraintOperator
from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest
from gateway.backends import Backends
from gateway.flow import Flow
from gateway.reads import search
from gateway.settings import GatewaySettings
from runtime.serving.errors import InvalidArgument
from runtime.state.sqlite import SqliteState
from tests.gateway.flows import flow_of, wish_of
from tests.gateway.scripted_services import ScriptedServices, scripted_services

OF_SHOE = QueryEmbedding(text="shoe", embedding_space="retriever/1", values=[1.0])
CHEAP = Constraint(
    key="price", operator=ConstraintOperator.CONSTRAINT_OPERATOR_LESS_EQUAL, number=150, confidence=0.9
)
Flows = Callable[..., Flow]


@pytest.fixture
async def served() -> AsyncIterator[tuple[ScriptedServices, Backends]]:
    async with scripted_services() as both:
        yield both


@pytest.fixture
def services(served: tuple[ScriptedServices, Backends]) -> ScriptedServices:
    return served[0]


@pytest.fixture
def flows(served: tuple[ScriptedServices, Backends], tmp_path: Path) -> Iterator[Flows]:
    """Flows by their mode, over the scripted services."""
    state = SqliteState(tmp_path / "events.db")

    def of(mode: str, **given: Any) -> Flow:
        return flow_of(GatewaySettings(encoder_pass=mode, **given), served[1], state)

    yield of
    state.close()


def embeddings(services: ScriptedServices) -> list[QueryEmbedding | None]:
    """What came with each search."""
    return [each.query_embedding if each.HasField("query_embedding") else None for each in services.retrieves]


async def test_a_shared_pass_searches_with_the_embedding_of_the_reading(
    services: ScriptedServices, flows: Flows
) -> None:
    answer = await flows("shared").answer(wish_of())
    assert embeddings(services) == [OF_SHOE]
    assert answer.understanding.language == "en"
    assert not answer.info.degraded


async def test_separate_passes_ask_both_at_once_and_for_no_embedding(
    services: ScriptedServices, flows: Flows
) -> None:
    services.intent_waits = True  # for the search, which must not wait for it
    answer = await flows("separate").answer(wish_of())
    assert embeddings(services) == [None]
    assert answer.understanding.language == "en"


async def test_a_reading_that_is_late_for_the_search_counts_all_the_same(
    services: ScriptedServices, flows: Flows
) -> None:
    services.intent_waits = True
    answer = await flows("shared").answer(wish_of())
    assert embeddings(services) == [None]
    assert answer.understanding.language == "en"
    assert not answer.info.degraded


async def test_without_intent_the_search_is_as_it_always_was(
    services: ScriptedServices, flows: Flows
) -> None:
    services.failures["Understand"] = grpc.StatusCode.UNAVAILABLE
    answer = await flows("shared").answer(wish_of())
    assert embeddings(services) == [None]
    assert [each.stage for each in answer.info.degraded] == [Stage.STAGE_INTENT]
    assert len(answer.hits) == 3


async def test_a_model_that_makes_no_embedding_costs_no_answer(
    services: ScriptedServices, flows: Flows
) -> None:
    services.embeds = False
    answer = await flows("shared").answer(wish_of())
    assert embeddings(services) == [None]
    assert not answer.info.degraded


async def test_a_query_that_intent_refuses_is_refused(services: ScriptedServices, flows: Flows) -> None:
    services.failures["Understand"] = grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(InvalidArgument):
        await flows("shared").answer(wish_of())
    assert not services.retrieves


async def test_the_narrowed_search_has_the_embedding_too(services: ScriptedServices, flows: Flows) -> None:
    services.constraints = [CHEAP]
    await flows("shared").answer(wish_of())
    assert services.filters[0] == "" and services.filters[1] != ""
    assert embeddings(services) == [OF_SHOE, OF_SHOE]


async def test_what_a_query_meant_by_itself_is_never_searched_by_anothers_embedding(
    services: ScriptedServices, flows: Flows
) -> None:
    services.standalone["in red"] = "red shoe"
    await flows("shared").answer(wish_of(query="in red"))
    assert [each.query for each in services.retrieves] == ["in red", "red shoe"]
    assert {each.text for each in embeddings(services) if each} == {"in red"}


async def test_a_corrected_query_is_understood_anew_and_its_search_keeps_the_text_of_the_embedding(
    services: ScriptedServices, flows: Flows
) -> None:
    services.did_you_mean = DidYouMean(query="shoes", applied=True)
    await flows("shared").answer(wish_of())
    assert services.understood == ["shoe", "shoes"]
    assert embeddings(services) == [OF_SHOE]


async def test_recommendations_ask_for_no_reading(services: ScriptedServices, flows: Flows) -> None:
    asked = replace(wish_of(RetrieveRequest(for_user=ForUser())), query="")
    await flows("shared").answer(asked)
    assert services.understood == []
    assert embeddings(services) == [None]


async def test_both_modes_answer_alike(services: ScriptedServices, flows: Flows) -> None:
    services.constraints = [CHEAP]
    request = SearchRequest(query="shoe")
    one, other = [await search(flows(mode), request) for mode in ("separate", "shared")]
    for each in (one, other):
        each.ClearField("info")
        each.ClearField("next_page_token")
    assert one == other


def test_the_head_start_leaves_retrieval_most_of_the_time() -> None:
    budget = GatewaySettings().budget()
    for remaining in (0.02, 0.1, 1.0):
        left = remaining - budget.head_start(remaining)
        assert budget.retrieval(left) >= 0.69 * budget.retrieval(remaining)
    assert budget.head_start(60.0) < budget.intent(60.0)
    assert budget.head_start(0.001) == 0
