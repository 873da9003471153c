"""What a caller may ask of the order, and what an answer tells of it, through four real processes."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from aisle.catalog.v1.arrangement_pb2 import ObjectiveWeights
from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    FindSimilarRequest,
    ForgetUserRequest,
    RecommendRequest,
    RecordEventsRequest,
    SearchRequest,
)
from deploy.local.stack import Stack
from services.ranking.rules.__main__ import main
from tests.rpc_errors import error_of, fields_of

QUERY = "black summer t-shirt"


def _ids(answer: Any) -> list[str]:
    return [hit.product.id for hit in answer.hits]


async def test_explained_scores_are_the_sum_of_their_parts_on_every_surface(
    gateway: Any, products: list[Product]
) -> None:
    answers = [
        await gateway.Search(SearchRequest(query=QUERY, explain=True)),
        await gateway.Recommend(RecommendRequest(explain=True)),
        await gateway.FindSimilar(FindSimilarRequest(product_id=products[0].id, explain=True)),
    ]
    for answer in answers:
        assert answer.hits
        for hit in answer.hits:
            parts = hit.explanation.contributions
            assert sum(part.value for part in parts) == pytest.approx(hit.score, abs=1e-3)
            assert hit.explanation.reasons


async def test_explanation_changes_no_answer_and_is_only_given_when_asked_for(gateway: Any) -> None:
    plain = await gateway.Search(SearchRequest(query=QUERY))
    explained = await gateway.Search(SearchRequest(query=QUERY, explain=True))
    assert _ids(plain) == _ids(explained)
    assert not any(hit.HasField("explanation") for hit in plain.hits)


@pytest.mark.parametrize(("language", "chinese"), [("zh", True), ("en", False), ("", False)])
async def test_reasons_are_in_the_language_asked_for(gateway: Any, language: str, chinese: bool) -> None:
    answer = await gateway.Search(SearchRequest(query=QUERY, explain=True, explain_language=language))
    reasons = [reason for hit in answer.hits for reason in hit.explanation.reasons]
    assert all((max(reason) >= "一") is chinese for reason in reasons)
    bad = SearchRequest(query=QUERY, explain_language="fr")
    assert fields_of(await error_of(gateway.Search(bad))) == ["explain_language"]


async def test_weights_of_a_request_change_its_order_alone(gateway: Any) -> None:
    only_clicks = ObjectiveWeights(fused=0, relevance=0, click=1, conversion=0)
    weighed = await gateway.Search(SearchRequest(query=QUERY, page_size=50, weights=only_clicks))
    usual = await gateway.Search(SearchRequest(query=QUERY, page_size=50))
    clicks = [hit.parts.click_probability for hit in weighed.hits]
    assert clicks == sorted(clicks, reverse=True)
    assert _ids(weighed) != _ids(usual)


async def test_weights_beyond_their_limit_are_the_callers_fault_on_every_surface(
    gateway: Any, products: list[Product]
) -> None:
    beyond = ObjectiveWeights(click=7)
    calls = [
        gateway.Search(SearchRequest(query=QUERY, weights=beyond)),
        gateway.Recommend(RecommendRequest(weights=beyond)),
        gateway.FindSimilar(FindSimilarRequest(product_id=products[0].id, weights=beyond)),
    ]
    for call in calls:
        error = await error_of(call)
        assert error.code().name == "INVALID_ARGUMENT"
        assert fields_of(error) == ["weights.click"]
        assert "0 to its limit 2" in (error.details() or "")


async def test_page_token_is_bound_to_the_weights(gateway: Any) -> None:
    weights = ObjectiveWeights(click=1)
    first = await gateway.Search(SearchRequest(query=QUERY, weights=weights))
    assert first.next_page_token
    token = first.next_page_token
    second = await gateway.Search(SearchRequest(query=QUERY, weights=weights, page_token=token))
    assert not set(_ids(first)) & set(_ids(second))
    error = await error_of(gateway.Search(SearchRequest(query=QUERY, page_token=token)))
    assert fields_of(error) == ["page_token"]


async def test_forgotten_user_is_answered_like_an_anonymous_one(gateway: Any) -> None:
    user, bought = uuid.uuid4().hex, (await gateway.Search(SearchRequest(query=QUERY))).hits[4].product.id
    event = UserEvent(
        event_id=uuid.uuid4().hex, user_id=user, type=EventType.EVENT_TYPE_PURCHASE, product_id=bought
    )
    await gateway.RecordEvents(RecordEventsRequest(events=[event]))

    async def scores(user_id: str) -> dict[str, float]:
        answer = await gateway.Search(SearchRequest(query=QUERY, user_id=user_id, page_size=50))
        return {hit.product.id: hit.score for hit in answer.hits}

    anonymous = pytest.approx(await scores(""), abs=1e-3)  # ages differ by a second
    assert await scores(user) != anonymous
    forgotten = await gateway.ForgetUser(ForgetUserRequest(user_id=user))
    assert (forgotten.events, forgotten.history_products) == (1, 1)
    assert await scores(user) == anonymous
    assert await scores("never seen") == anonymous
    assert fields_of(await error_of(gateway.ForgetUser(ForgetUserRequest()))) == ["user_id"]


def test_rules_are_tried_on_a_running_gateway(
    stack: Stack, products: list[Product], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, queries = tmp_path / "rules.yaml", tmp_path / "queries.tsv"
    rules.write_text(f"rules: [{{id: cheap, hide: {{categories: ['{products[0].category_path[0]}']}}}}]")
    queries.write_text("black summer t-shirt\t3\nT恤 黑色\t2\nshoe\t1\n")
    assert main(["check", str(rules), "--gateway", stack.gateway]) == 0
    assert main(["dry-run", str(rules), "--queries", str(queries), "--gateway", stack.gateway]) == 0
    said = capsys.readouterr().out
    assert "requests            3, of which " in said
    assert "rule cheap          met 3 requests" in said
    rules.write_text("rules: [{id: a, pin: {products: [no such product]}}]")
    assert main(["check", str(rules), "--gateway", stack.gateway]) == 1
    assert "the catalogue holds no product 'no such product'" in capsys.readouterr().err
