"""Shelves: new products, other categories, and what goes with a product, through four real processes."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    DeleteProductsRequest,
    FindSimilarRequest,
    RecommendRequest,
    RecordEventsRequest,
    Relation,
    Shelf,
    UpsertProductsRequest,
)
from gateway.shelves import both, newcomers, other_categories
from tests.rpc_errors import error_of, fields_of

ACROSS = Shelf.SHELF_ACROSS_CATEGORIES


def _ids(answer: Any) -> list[str]:
    return [hit.product.id for hit in answer.hits]


def _categories(answer: Any) -> set[str]:
    return {"/".join(hit.product.category_path) for hit in answer.hits}


async def _user_who_bought(gateway: Any, products: list[Product]) -> str:
    user = uuid.uuid4().hex
    events = [
        UserEvent(
            event_id=uuid.uuid4().hex,
            user_id=user,
            type=EventType.EVENT_TYPE_PURCHASE,
            product_id=product.id,
        )
        for product in products
    ]
    await gateway.RecordEvents(RecordEventsRequest(events=events))
    return user


async def test_other_categories_than_the_history_s_are_recommended(
    gateway: Any, products: list[Product]
) -> None:
    bought = products[:3]
    user = await _user_who_bought(gateway, bought)
    had = {"/".join(product.category_path) for product in bought}
    usual = await gateway.Recommend(RecommendRequest(user_id=user, page_size=20))
    across = await gateway.Recommend(RecommendRequest(user_id=user, page_size=20, shelf=ACROSS))
    assert _categories(usual) & had
    assert len(across.hits) == 20
    assert not _categories(across) & had


async def test_filter_of_the_caller_holds_on_a_shelf_too(gateway: Any, products: list[Product]) -> None:
    user = await _user_who_bought(gateway, products[:1])
    request = RecommendRequest(user_id=user, shelf=ACROSS, filter="price < 200 OR price > 900", page_size=30)
    answer = await gateway.Recommend(request)
    assert answer.hits
    assert all(not 200 <= hit.product.price.amount <= 900 for hit in answer.hits)
    assert "/".join(products[0].category_path) not in _categories(answer)


async def test_shelf_of_new_products_holds_nothing_older(gateway: Any, products: list[Product]) -> None:
    fresh = Product(id=f"new-{uuid.uuid4().hex}", title={"en": "a brand new umbrella"})
    fresh.create_time.FromSeconds(int(time.time()) - 86_400)
    await gateway.UpsertProducts(UpsertProductsRequest(products=[fresh]))
    answer = await gateway.Recommend(RecommendRequest(shelf=Shelf.SHELF_NEW, page_size=50))
    await gateway.DeleteProducts(DeleteProductsRequest(ids=[fresh.id]))
    assert fresh.id in _ids(answer)
    oldest = min(hit.product.create_time.seconds for hit in answer.hits)
    assert oldest >= time.time() - 32 * 86_400


async def test_what_goes_with_a_product_is_of_other_categories(gateway: Any, products: list[Product]) -> None:
    beside = FindSimilarRequest(product_id=products[0].id, relation=Relation.RELATION_BOUGHT_TOGETHER)
    answer = await gateway.FindSimilar(beside)
    assert len(answer.hits) == 10
    assert "/".join(products[0].category_path) not in _categories(answer)
    similar = await gateway.FindSimilar(FindSimilarRequest(product_id=products[0].id))
    assert _ids(answer) != _ids(similar)


async def test_unknown_product_and_unknown_choices_are_refused(gateway: Any, products: list[Product]) -> None:
    together = Relation.RELATION_BOUGHT_TOGETHER
    gone = gateway.FindSimilar(FindSimilarRequest(product_id="no such", relation=together))
    assert (await error_of(gone)).code().name == "NOT_FOUND"
    shelf = gateway.Recommend(RecommendRequest(shelf=77))  # type: ignore[arg-type]
    assert fields_of(await error_of(shelf)) == ["shelf"]
    similar = FindSimilarRequest(product_id=products[0].id, relation=77)  # type: ignore[arg-type]
    assert fields_of(await error_of(gateway.FindSimilar(similar))) == ["relation"]


async def test_page_token_of_one_shelf_is_refused_on_another(gateway: Any) -> None:
    token = (await gateway.Recommend(RecommendRequest())).next_page_token
    other = gateway.Recommend(RecommendRequest(shelf=ACROSS, page_token=token))
    assert fields_of(await error_of(other)) == ["page_token"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], ""),
        ([[]], ""),
        ([["a", "b"], ["a", "b"], ["c"]], 'NOT category:("a/b" OR "c")'),
        ([['say "x"'], ["c"]], 'NOT category:("c")'),
    ],
)
def test_categories_are_left_out_once_each(paths: list[list[str]], expected: str) -> None:
    assert other_categories(Product(category_path=path) for path in paths) == expected


def test_many_categories_keep_the_filter_short() -> None:
    many = [Product(category_path=[f"{number:03d}" * 40]) for number in range(50)]
    assert len(other_categories(many)) < 1000
    assert other_categories(many).count("OR") <= 9


def test_filters_are_joined() -> None:
    assert both("", "x") == "x"
    assert both("a OR b", "") == "a OR b"
    assert both("a OR b", "x") == "(a OR b) AND (x)"
    assert newcomers(datetime(2026, 3, 31, 1, tzinfo=UTC)) == 'create_time >= "2026-03-01"'
