"""Search, Recommend, FindSimilar and GetProduct through four real processes with the published models."""

import uuid
from typing import Any

import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    FindSimilarRequest,
    GetProductRequest,
    RecommendRequest,
    RecordEventsRequest,
    SearchRequest,
    SearchResponse,
    SuggestRequest,
)

QUERIES = [
    "T恤 黑色 夏季",
    "black summer t-shirt",
    "黑色 cotton T恤 👕",
    "👕👖",
    "x",
    "'; DROP TABLE products; --",
]


def _stages(answer: Any) -> set[str]:
    return {time.stage for time in answer.info.stages}


def _ids(answer: Any) -> list[str]:
    return [hit.product.id for hit in answer.hits]


def _click(user: str, product: str, type: "EventType.ValueType" = EventType.EVENT_TYPE_CLICK) -> UserEvent:
    return UserEvent(event_id=uuid.uuid4().hex, user_id=user, type=type, product_id=product)


@pytest.mark.parametrize("query", QUERIES)
async def test_search_answers_with_every_model_and_every_stage(gateway: Any, query: str) -> None:
    answer: SearchResponse = await gateway.Search(SearchRequest(query=query))
    assert len(answer.hits) == 10
    assert not answer.info.degraded
    assert {model.name for model in answer.info.models} == {"intent", "retriever", "ranker"}
    assert {"intent", "retrieval", "ranking", "products", "total"} <= _stages(answer)
    assert all(time.seconds >= 0 for time in answer.info.stages)
    assert sum(intent.probability for intent in answer.understanding.intents) == pytest.approx(1, abs=1e-3)
    assert answer.total.value >= len(answer.hits)
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)


async def test_hits_are_whole_products_with_the_parts_of_their_score(
    gateway: Any, products: list[Product]
) -> None:
    known = {product.id: product for product in products}
    answer = await gateway.Search(SearchRequest(query="black summer t-shirt"))
    for hit in answer.hits:
        assert hit.product == known[hit.product.id]
        assert 0 <= hit.parts.click_probability <= 1
        assert 0 <= hit.parts.conversion_probability <= 1
        assert 0 <= hit.parts.relevance <= 1
        assert hit.parts.channel_ranks["dense"] >= 1


@pytest.mark.parametrize(("query", "language"), [("T恤 黑色 夏季", "zh"), ("black summer t-shirt", "en")])
async def test_query_is_understood_in_both_languages(gateway: Any, query: str, language: str) -> None:
    reading = (await gateway.Search(SearchRequest(query=query))).understanding
    assert reading.language == language
    assert ("color", "black") in {(slot.key, slot.value) for slot in reading.slots}


async def test_request_id_of_the_caller_comes_back(gateway: Any) -> None:
    answer = await gateway.Search(SearchRequest(query="shoe"), metadata=(("x-request-id", "from-the-shop"),))
    assert answer.info.request_id == "from-the-shop"


async def test_pages_follow_each_other_without_repetition(gateway: Any) -> None:
    first = await gateway.Search(SearchRequest(query="dress", page_size=20))
    seen, token = _ids(first), first.next_page_token
    while token:
        page = await gateway.Search(SearchRequest(query="dress", page_size=20, page_token=token))
        seen += _ids(page)
        token = page.next_page_token
    assert len(seen) == len(set(seen)) == 200
    whole = await gateway.Search(SearchRequest(query="dress", page_size=100))
    assert _ids(whole) == seen[:100]


async def test_later_page_is_the_pinned_one_though_feedback_has_changed_the_order(gateway: Any) -> None:
    user = uuid.uuid4().hex
    request = SearchRequest(query="shoe", user_id=user, page_size=20)
    pinned = await gateway.Search(request)
    whole = _ids(await gateway.Search(SearchRequest(query="shoe", user_id=user, page_size=100)))
    events = [_click(user, each, EventType.EVENT_TYPE_PURCHASE) for each in whole[60:63]]
    await gateway.RecordEvents(RecordEventsRequest(events=events))
    request.page_token = pinned.next_page_token
    later = await gateway.Search(request)
    assert _ids(pinned) + _ids(later) == whole[:40]
    assert later.total == pinned.total
    assert _stages(later) == {"products", "total"}


async def test_unknown_user_is_anonymous(gateway: Any) -> None:
    named = await gateway.Search(SearchRequest(query="shoe", user_id="nobody-knows-me"))
    anonymous = await gateway.Search(SearchRequest(query="shoe"))
    assert not named.info.degraded
    assert _ids(named) == _ids(anonymous)
    assert "profile" in _stages(named) and "profile" not in _stages(anonymous)


async def test_recommendations_without_history_are_popular_ones(gateway: Any) -> None:
    answer = await gateway.Recommend(RecommendRequest())
    assert len(answer.hits) == 10
    assert all(hit.parts.channel_ranks["popular"] >= 1 for hit in answer.hits)


async def test_feedback_changes_the_next_recommendation(gateway: Any) -> None:
    user = uuid.uuid4().hex
    before = await gateway.Recommend(RecommendRequest(user_id=user))
    liked = _ids(before)[:3]
    recorded = await gateway.RecordEvents(RecordEventsRequest(events=[_click(user, each) for each in liked]))
    after = await gateway.Recommend(RecommendRequest(user_id=user))
    assert recorded.recorded == 3
    assert not set(liked) & set(_ids(after))
    assert any("dense" in hit.parts.channel_ranks for hit in after.hits)


async def test_feedback_changes_the_scores_of_the_next_search(gateway: Any) -> None:
    user = uuid.uuid4().hex
    request = SearchRequest(query="shoe", user_id=user, page_size=50)
    before = await gateway.Search(request)
    bought = before.hits[-1].product.id
    await gateway.RecordEvents(
        RecordEventsRequest(events=[_click(user, bought, EventType.EVENT_TYPE_PURCHASE)])
    )
    after = await gateway.Search(request)
    assert [hit.score for hit in after.hits] != [hit.score for hit in before.hits]


async def test_similar_products_leave_out_the_product_itself(gateway: Any, products: list[Product]) -> None:
    answer = await gateway.FindSimilar(FindSimilarRequest(product_id=products[0].id))
    assert len(answer.hits) == 10
    assert products[0].id not in _ids(answer)


async def test_recommendations_and_similar_products_have_pages(gateway: Any, products: list[Product]) -> None:
    recommend, similar = (
        RecommendRequest(page_size=5),
        FindSimilarRequest(product_id=products[0].id, page_size=5),
    )
    for method, request in ((gateway.Recommend, recommend), (gateway.FindSimilar, similar)):
        first = await method(request)
        request.page_token = first.next_page_token
        second = await method(request)
        assert len(set(_ids(first) + _ids(second))) == 10


async def test_one_product_is_read_as_it_was_written(gateway: Any, products: list[Product]) -> None:
    answer = await gateway.GetProduct(GetProductRequest(id=products[5].id))
    assert answer.product == products[5]
    assert answer.info.request_id


async def test_misspelt_query_is_answered_as_meant(gateway: Any) -> None:
    answer = await gateway.Search(SearchRequest(query="noise cancelling haedphones"))
    assert answer.did_you_mean.query == "noise cancelling headphones"
    assert answer.did_you_mean.applied
    right = await gateway.Search(SearchRequest(query="noise cancelling headphones"))
    assert not right.HasField("did_you_mean")
    assert [slot.value for slot in answer.understanding.slots] == [
        slot.value for slot in right.understanding.slots
    ]
    assert set(_ids(right)) & set(_ids(answer))
    exact = await gateway.Search(SearchRequest(query="noise cancelling haedphones", exact_spelling=True))
    assert not exact.HasField("did_you_mean")


@pytest.mark.parametrize("prefix", ["head", "haedph", "耳机"])
async def test_every_suggestion_finds_products(gateway: Any, prefix: str) -> None:
    answer = await gateway.Suggest(SuggestRequest(prefix=prefix, limit=5))
    assert 0 < len(answer.suggestions) <= 5
    for suggestion in answer.suggestions:
        found = await gateway.Search(SearchRequest(query=suggestion.text, exact_spelling=True))
        assert any(hit.parts.channel_ranks["lexical"] for hit in found.hits)
