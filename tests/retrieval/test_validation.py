"""Bad requests are refused, each field by name."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from aisle.catalog.v1.product_pb2 import Product
from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest
from runtime.serving.errors import InvalidArgument
from services.retrieval.validation import check_ids, check_products, check_retrieve
from tests.retrieval.builders import product


def _refused(check: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        check()
    return caught.value.fields


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "must hold at least one visible character"),
        (" 　\u200b", "must hold at least one visible character"),
        (" \t\n", "must not hold control characters"),
        ("x" * 513, "must be at most 512 characters, got 513"),
        ("shirt" * 200_000, "must be at most 512 characters, got 1000000"),
        ("a\x00b", "must not hold control characters"),
        ("a\x1b[31mb", "must not hold control characters"),
    ],
)
def test_bad_query_is_refused(query: str, reason: str) -> None:
    assert _refused(lambda: check_retrieve(RetrieveRequest(query=query))) == {"query": reason}


@pytest.mark.parametrize("query", ["T恤 黑色", "🎉", "黑" * 512, "👨‍👩‍👧 shirt", "a", "ٱلسَّلَامُ", "<script>"])
def test_unusual_queries_are_accepted(query: str) -> None:
    check_retrieve(RetrieveRequest(query=query))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RetrieveRequest(), "source"),
        (RetrieveRequest(similar_to=""), "similar_to"),
        (RetrieveRequest(similar_to="x" * 129), "similar_to"),
        (RetrieveRequest(for_user=ForUser(), history_ids=["x"] * 51), "history_ids"),
        (RetrieveRequest(query="x", limit=-1), "limit"),
        (RetrieveRequest(query="x", limit=1001), "limit"),
    ],
)
def test_bad_retrieve_request_is_refused(request_: RetrieveRequest, field: str) -> None:
    assert list(_refused(lambda: check_retrieve(request_))) == [field]


@pytest.mark.parametrize(
    ("ids", "field"), [([], "ids"), (["x"] * 1001, "ids"), (["a", ""], "ids[1]"), (["黑" * 43], "ids[0]")]
)
def test_bad_ids_are_refused(ids: list[str], field: str) -> None:
    assert list(_refused(lambda: check_ids(ids))) == [field]


def _with(**fields: object) -> Product:
    made = product("a", price=1)
    for path, value in fields.items():
        target, _, name = path.rpartition("__")
        setattr(getattr(made, target) if target else made, name, value)
    return made


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (_with(id=""), "products[0].id"),
        (_with(id="黑" * 43), "products[0].id"),
        (_with(id="a\n"), "products[0].id"),
        (Product(id="a"), "products[0].title"),
        (Product(id="a", title={"en": "  "}), "products[0].title"),
        (Product(id="a", title={"": "shirt"}), "products[0].title"),
        (product("a", "x" * 2001), "products[0].title[en]"),
        (
            Product(id="a", title={"en": "x"}, description={"zh": "黑" * 10_001}),
            "products[0].description[zh]",
        ),
        (_with(price__amount=math.nan), "products[0].price.amount"),
        (_with(price__amount=math.inf), "products[0].price.amount"),
        (_with(price__amount=-0.01), "products[0].price.amount"),
        (_with(price__currency_code="yuan"), "products[0].price.currency_code"),
        (_with(price__currency_code=""), "products[0].price.currency_code"),
        (_with(rating=5.1), "products[0].rating"),
        (_with(rating=-1.0), "products[0].rating"),
        (_with(rating=math.nan), "products[0].rating"),
        (_with(positive_review_share=1.1), "products[0].positive_review_share"),
        (_with(positive_review_share=math.nan), "products[0].positive_review_share"),
        (_with(review_count=-1), "products[0].review_count"),
        (_with(availability=99), "products[0].availability"),
    ],
)
def test_bad_product_is_refused(bad: Product, field: str) -> None:
    assert list(_refused(lambda: check_products([bad]))) == [field]


def test_description_too_long_is_refused() -> None:
    bad = Product(id="a", title={"en": "x"}, description={"zh": "黑" * 10_001})
    assert list(_refused(lambda: check_products([bad]))) == ["products[0].description[zh]"]


def test_product_too_large_to_store_is_refused() -> None:
    noise = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 30_000)))
    bad = Product(id="a", title={"en": "x"}, description={str(n): noise[n::3] for n in range(3)})
    assert list(_refused(lambda: check_products([bad]))) == ["products[0]"]


def test_same_id_twice_is_refused_by_the_place_of_the_second() -> None:
    fields = _refused(lambda: check_products([product("a"), product("b"), product("a")]))
    assert fields == {"products[2].id": "must be distinct, products[0] has the same"}


def test_every_wrong_field_is_told_at_once() -> None:
    fields = _refused(lambda: check_products([_with(id="", rating=9.0), _with(price__amount=-1.0)]))
    assert list(fields) == ["products[0].id", "products[0].rating", "products[1].price.amount"]


@pytest.mark.parametrize("count", [0, 257])
def test_too_few_and_too_many_products_are_refused(count: int) -> None:
    products = [product(f"p{number}") for number in range(count)]
    assert list(_refused(lambda: check_products(products))) == ["products"]


def test_a_product_with_only_an_id_and_a_title_is_accepted() -> None:
    check_products([Product(id="a", title={"zh": "黑色T恤"})])
