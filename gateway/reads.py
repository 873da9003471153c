"""Search, Recommend and FindSimilar: what each asks for, and what each gives back."""

import time
from datetime import UTC, datetime
from typing import Any

from aisle.catalog.v1.user_pb2 import EventType, HistoryItem
from aisle.gateway.v1.gateway_pb2 import (
    FindSimilarRequest,
    FindSimilarResponse,
    RecommendRequest,
    RecommendResponse,
    Relation,
    SearchRequest,
    SearchResponse,
    Shelf,
)
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest
from gateway.flow import Flow, Wish
from gateway.pages import Page, read_page
from gateway.shelves import both, newcomers, shelf_surface
from gateway.validation import (
    check_explain_language,
    check_id,
    check_keys,
    check_optional_id,
    check_query,
    check_recent_queries,
)
from runtime.serving.errors import Violations

_Read = SearchRequest | RecommendRequest | FindSimilarRequest


async def search(flow: Flow, request: SearchRequest) -> SearchResponse:
    """Answer a search; raises InvalidArgument naming every wrong field."""
    violations = Violations()
    check_query(violations, "query", request.query)
    check_optional_id(violations, "user_id", request.user_id)
    check_recent_queries(violations, "recent_queries", request.recent_queries)
    check_keys(violations, "narrowing.except_keys", request.narrowing.except_keys)
    page = read_page(
        violations,
        request.page_size,
        request.page_token,
        *("Search", request.query, request.user_id, request.filter),
        *(str(request.collapse_variants), str(request.exact_spelling)),
        *(str(request.narrowing.off), *request.narrowing.except_keys),
        *_asked(request),
    )
    check_explain_language(violations, "explain_language", request.explain_language)
    violations.raise_if_any()
    answer = await flow.answer(
        Wish(
            source=RetrieveRequest(
                query=request.query,
                filter=request.filter,
                facets=request.facets,
                facet_limit=request.facet_limit,
                collapse_variants=request.collapse_variants,
                exact_spelling=request.exact_spelling,
            ),
            surface=Surface.SURFACE_SEARCH,
            page=page,
            user_id=request.user_id,
            query=request.query,
            recent_queries=request.recent_queries,
            narrowing=request.narrowing,
            ranking=_ranking(request, page),
        )
    )
    return SearchResponse(
        hits=answer.hits,
        next_page_token=answer.next_page_token,
        understanding=answer.understanding,
        info=answer.info,
        total=answer.total,
        facets=answer.facets,
        emptiness=answer.emptiness,
        did_you_mean=answer.did_you_mean,
        constraints=answer.constraints,
    )


async def recommend(flow: Flow, request: RecommendRequest) -> RecommendResponse:
    """Answer with products for a user; raises InvalidArgument naming every wrong field."""
    violations = Violations()
    check_optional_id(violations, "user_id", request.user_id)
    page = read_page(
        violations,
        request.page_size,
        request.page_token,
        *("Recommend", request.user_id, request.filter),
        *(Shelf.Name(request.shelf),) if request.shelf in Shelf.values()[1:] else (),
        *_asked(request),
    )
    _check_choice(violations, "shelf", request.shelf, Shelf)
    check_explain_language(violations, "explain_language", request.explain_language)
    violations.raise_if_any()
    newest = newcomers(datetime.now(UTC)) if request.shelf == Shelf.SHELF_NEW else ""
    answer = await flow.answer(
        Wish(
            source=RetrieveRequest(for_user=ForUser(), filter=both(request.filter, newest)),
            surface=shelf_surface(request.shelf),
            page=page,
            user_id=request.user_id,
            ranking=_ranking(request, page),
            elsewhere=request.shelf == Shelf.SHELF_ACROSS_CATEGORIES,
        )
    )
    return RecommendResponse(
        hits=answer.hits,
        next_page_token=answer.next_page_token,
        info=answer.info,
        emptiness=answer.emptiness,
    )


async def find_similar(flow: Flow, request: FindSimilarRequest) -> FindSimilarResponse:
    """Answer with products like one; raises InvalidArgument, or NotFound for an unknown product."""
    violations = Violations()
    check_id(violations, "product_id", request.product_id)
    check_optional_id(violations, "user_id", request.user_id)
    page = read_page(
        violations,
        request.page_size,
        request.page_token,
        *("FindSimilar", request.product_id, request.user_id, request.filter),
        *(Relation.Name(request.relation),) if request.relation in Relation.values()[1:] else (),
        *_asked(request),
    )
    _check_choice(violations, "relation", request.relation, Relation)
    check_explain_language(violations, "explain_language", request.explain_language)
    violations.raise_if_any()
    answer = await flow.answer(_beside(request, page))
    return FindSimilarResponse(
        hits=answer.hits,
        next_page_token=answer.next_page_token,
        info=answer.info,
        emptiness=answer.emptiness,
    )


def _beside(request: FindSimilarRequest, page: Page) -> Wish:
    """Return what is wanted beside a product: others like it, or what someone with it turns to next."""
    if request.relation != Relation.RELATION_BOUGHT_TOGETHER:
        return Wish(
            source=RetrieveRequest(similar_to=request.product_id, filter=request.filter),
            surface=Surface.SURFACE_SIMILAR,
            page=page,
            user_id=request.user_id,
            ranking=_ranking(request, page),
        )
    taken = HistoryItem(
        product_id=request.product_id, type=EventType.EVENT_TYPE_CART, event_seconds=int(time.time())
    )
    return Wish(
        source=RetrieveRequest(for_user=ForUser(), filter=request.filter),
        surface=Surface.SURFACE_BOUGHT_TOGETHER,
        page=page,
        user_id=request.user_id,
        ranking=_ranking(request, page),
        instead_of_history=[taken],
        elsewhere=True,
    )


def _check_choice(violations: Violations, field: str, value: int, choices: Any) -> None:
    if value not in choices.values():
        violations.add(field, f"must be one of {', '.join(choices.keys()[1:])}, got {value}")


def _asked(request: _Read) -> tuple[str, ...]:
    """Return what a page token is bound to of the weights asked for; nothing when none were."""
    return (
        (request.weights.SerializeToString(deterministic=True).hex(),) if request.HasField("weights") else ()
    )


def _ranking(request: _Read, page: Page) -> RankRequest:
    """Return what the request asks of the order."""
    wanted = RankRequest(explain=page.size if request.explain else 0, language=request.explain_language)
    if request.HasField("weights"):
        wanted.weights.CopyFrom(request.weights)
    return wanted
