"""How much the words of a query count beside its meaning."""

import math

import numpy as np
import pytest

from services.retrieval.index import CatalogIndex
from services.retrieval.weighting import emphasis, naming_share
from tests.retrieval.builders import DIMENSION, product, towards, unit_rows

_COUNT = 400


@pytest.fixture(scope="module")
def cases() -> CatalogIndex:
    """Phone cases that differ by their model numbers, half of them with Chinese titles."""
    index = CatalogIndex(DIMENSION)
    products = [
        product(
            f"p{row}", f"Modal case for phone {6 + row % 2} MD-{row:03d}QX", zh=f"手机壳 黑色 MD-{row:03d}QX"
        )
        for row in range(_COUNT)
    ]
    index.upsert(products, unit_rows(_COUNT, seed=1))
    return index


def _factor(index: CatalogIndex, query: str) -> float:
    words = index.match_words(query)
    return words.emphasis / math.sqrt(words.spread.deviation)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("md-017qx", "modal case md-017qx"),
        ("modal case md-017qx", "modal case for phone"),
        ("手机壳 md-017qx", "黑色 手机壳"),
    ],
)
def test_words_count_more_the_more_of_a_query_is_a_model_number(
    cases: CatalogIndex, more: str, less: str
) -> None:
    assert _factor(cases, more) > _factor(cases, less)


def test_a_number_that_many_products_have_or_none_has_is_no_name(cases: CatalogIndex) -> None:
    assert _factor(cases, "phone 6") == pytest.approx(1)
    assert _factor(cases, "case xy-999zz") == pytest.approx(1)


@pytest.mark.parametrize("query", ["modal md-017qx", "MD 017QX", "手机壳 MD-017QX"])
def test_a_named_product_is_first_however_far_its_meaning_lies(cases: CatalogIndex, query: str) -> None:
    row = 17
    away = -unit_rows(_COUNT, seed=1)[row]
    assert cases.search(query, away).candidates.products.ids[0] == f"p{row}"


def test_words_that_most_products_have_leave_the_order_to_the_meaning() -> None:
    """All lamps share their words; one product has a word of the query more, and is not what is meant."""
    index = CatalogIndex(DIMENSION)
    products = [product(f"lamp{row}", "warm lamp for the desk") for row in range(30)]
    index.upsert([*products, product("rug", "warm lamp for the desk rug")], unit_rows(31, seed=2))
    nearest = unit_rows(31, seed=2)[4]
    assert index.search("lamp for the desk", nearest).candidates.products.ids[0] == "lamp4"


def test_the_answer_tells_the_weight(cases: CatalogIndex) -> None:
    embedding = towards(0)
    named, described = (
        cases.search(query, embedding).lexical_weight for query in ("modal md-017qx", "modal case")
    )
    assert named > described > 0
    assert cases.search("modal case", None).lexical_weight == 0


def test_words_that_tell_nothing_count_nothing() -> None:
    assert emphasis(0.0, 0.0) == 0
    assert naming_share([], lambda _: 0, 10) == 0
    assert np.isclose(emphasis(4.0, 0.0), 2) and emphasis(4.0, 1.0) > emphasis(4.0, 0.5)
