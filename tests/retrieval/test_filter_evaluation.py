"""Filters over the catalogue: which products they let through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.product_pb2 import AttributeValues, Money, Product
from services.retrieval.filters.evaluation import evaluate
from services.retrieval.filters.parsing import parse
from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import Comparator, Filter, Not, Restriction, Value, all_of, any_of
from services.retrieval.rows import CatalogRows
from tests.retrieval.builders import product
from tests.retrieval.filtering import meets


def _catalog(*products: Product) -> CatalogRows:
    catalog = CatalogRows(2)
    for each in products:
        catalog.put(catalog.change(each), np.zeros(2, np.float32))
    return catalog


def _passing(text: str, catalog: CatalogRows) -> set[str]:
    tree = parse(text)
    assert tree is not None
    return {catalog.ids()[row] for row in np.flatnonzero(evaluate(tree, catalog)).tolist()}


def _shop() -> CatalogRows:
    shirt = product("shirt", brand="Nike", category=["clothing", "t-shirt"], price=19.9, rating=4.6)
    shirt.attributes["color"].values.extend(["black", "白色"])
    shirt.group_id = "tee"
    shirt.create_time.FromJsonString("2026-03-01T12:00:00Z")
    coat = product(
        "coat", brand="ＮＩＫＥ", category=["clothing"], price=300, review_count=7, available=False
    )
    coat.attributes["color"].values.append("Black")
    coat.attributes["my size 👕"].values.append("XL")
    return _catalog(shirt, coat, product("mystery"))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("price < 100", {"shirt"}),
        ("price = 19.9", {"shirt"}),
        ("price != 19.9", {"coat"}),
        ("NOT price = 19.9", {"coat", "mystery"}),
        ("price > 1e300", set()),
        ("price:*", {"shirt", "coat"}),
        ("rating >= 4.6", {"shirt"}),
        ("rating < 1e300", {"shirt"}),
        ("review_count > 0.5", {"coat"}),
        ('brand = "nike"', {"shirt", "coat"}),
        ("brand IN (adidas, nike)", {"shirt", "coat"}),
        ("brand != adidas", {"shirt", "coat"}),
        ("-brand:*", {"mystery"}),
        ("category = clothing", {"coat"}),
        ("category:clothing", {"shirt", "coat"}),
        ('category:"Clothing/T-shirt"', {"shirt"}),
        ("category:cloth", set()),
        ("attributes.color = black", {"shirt", "coat"}),
        ("attributes.color:(black AND 白色)", {"shirt"}),
        ("attributes.color != black", set()),
        ("attributes.color != 白色", {"coat"}),
        ('attributes."my size 👕" = xl', {"coat"}),
        ("availability = out_of_stock", {"coat"}),
        ("availability = IN_STOCK", {"shirt", "mystery"}),
        ("currency = CNY", {"shirt", "coat"}),
        ("group = tee", {"shirt"}),
        ("id IN (coat, gone)", {"coat"}),
        ("id = COAT", set()),
        ("create_time = 2026-03-01", {"shirt"}),
        ("create_time > 2026-03-01", set()),
        ('create_time >= "2026-03-01T20:00:00+08:00"', {"shirt"}),
        ("price < 100 OR review_count > 5 AND brand:*", {"shirt", "coat"}),
    ],
)
def test_filter_lets_through(text: str, ids: set[str]) -> None:
    assert _passing(text, _shop()) == ids


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("colour = black", 0, "expected one of brand, category"),
        ("brand:x colour = black", 8, "no field 'colour'"),
        ("attributes.colour = black", 0, "attributes.color, attributes.my size 👕"),
        ("attributes = black", 0, "no field 'attributes'"),
        ("price.amount < 3", 0, "no field 'price.amount'"),
        ("price < cheap", 8, "price is a number"),
        ('price < "100"', 8, "without quotes, found the string '100'"),
        ("price < nan", 8, "price is a number"),
        ("price < 1e999", 8, "price is a number"),
        ("rating:(4 OR x)", 13, "rating is a number"),
        ("create_time > yesterday", 14, "create_time is a time"),
        ('create_time > "2026-03-01T12:00:00"', 14, "with its zone"),
        ("create_time > 2026-13-01", 14, "create_time is a time"),
        ("availability = sold", 15, "in_stock, out_of_stock, preorder"),
        ("brand < x", 0, "brand is a text: expected = or != or :, found <"),
        ("price = *", 0, "expected :, found ="),
    ],
)
def test_wrong_field_or_type_is_told_with_what_was_expected(text: str, position: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        _passing(text, _shop())
    assert caught.value.position == position
    assert words in str(caught.value)


def test_a_wrong_condition_is_told_though_another_one_decides() -> None:
    with pytest.raises(FilterError):
        _passing("id = gone AND price < cheap", _shop())


def test_an_empty_catalogue_has_no_attributes_to_miss() -> None:
    assert _passing("attributes.color = black", _catalog()) == set()


def test_columns_follow_products_that_are_replaced_and_moved() -> None:
    catalog = _shop()
    catalog.put(catalog.change(product("coat", brand="Puma")), np.zeros(2, np.float32))
    catalog.remove(catalog.removal(0))
    assert _passing("brand = puma", catalog) == {"coat"}
    assert _passing("brand = nike", catalog) == set()
    assert _passing("attributes.color:*", catalog) == set()


_TEXT = st.sampled_from(["", "red", "RED", "Ｒｅｄ", "黑色", "👕", "a/b", "navy blue"])
_PRODUCTS = st.lists(
    st.builds(
        lambda **values: Product(**{name: value for name, value in values.items() if value is not None}),
        brand=_TEXT,
        category_path=st.lists(st.sampled_from(["a", "b", "A"]), max_size=3),
        price=st.one_of(
            st.none(),
            st.builds(
                Money,
                amount=st.sampled_from([0.0, 19.9, 20.0, 1e7 + 0.01]),
                currency_code=st.sampled_from(["CNY", "USD"]),
            ),
        ),
        rating=st.sampled_from([None, 0.0, 4.6, 5.0]),
        review_count=st.integers(0, 3),
        attributes=st.dictionaries(
            st.just("color"), st.builds(AttributeValues, values=st.lists(_TEXT, max_size=3))
        ),
        availability=st.integers(0, 3),
        create_time=st.sampled_from([None, {"seconds": 1_772_323_200}, {"seconds": 1_772_366_400}]),
        group_id=st.sampled_from(["", "g", "h"]),
    ),
    min_size=1,
    max_size=8,
)
_ALL: list[Comparator] = ["=", "!=", "<", "<=", ">", ">=", ":"]
_SOME: list[Comparator] = ["=", "!=", ":"]


def _restrictions(
    path: tuple[str, ...], comparators: list[Comparator], values: st.SearchStrategy[Value]
) -> st.SearchStrategy[Filter]:
    compared = st.builds(Restriction, st.just(path), st.sampled_from(comparators), values)
    return st.one_of(compared, st.just(Restriction(path, ":", Value("*"))))


def _values(*texts: str) -> st.SearchStrategy[Value]:
    return st.builds(Value, st.sampled_from(texts))


_STRINGS = st.builds(Value, _TEXT, st.just(True))
_RESTRICTIONS = st.one_of(
    _restrictions(("price",), _ALL, _values("19.9", "2e1", "10000000.01", "-1", "1e300")),
    _restrictions(("rating",), _ALL, _values("4.6", "0", "5.0")),
    _restrictions(("review_count",), _ALL, _values("1", "1.5")),
    _restrictions(("brand",), _SOME, _STRINGS),
    _restrictions(("attributes", "color"), _SOME, _STRINGS),
    _restrictions(("category",), _SOME, _values("a", "A/B", "a/b/a", "c")),
    _restrictions(("availability",), _SOME, _values("in_stock", "preorder")),
    _restrictions(("currency",), _SOME, _values("cny")),
    _restrictions(("group",), _SOME, _values("g")),
    _restrictions(("id",), _SOME, _values("p0", "P1")),
    _restrictions(("create_time",), _ALL, _values("2026-03-01", "2026-03-01T12:00:00Z")),
)
_TREES = st.recursive(
    _RESTRICTIONS,
    lambda trees: st.one_of(
        st.builds(Not, trees),
        st.lists(trees, min_size=1, max_size=3).map(all_of),
        st.lists(trees, min_size=1, max_size=3).map(any_of),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(_PRODUCTS, _TREES)
def test_every_product_is_decided_as_by_itself(products: list[Product], tree: Filter) -> None:
    for place, each in enumerate(products):
        each.id = f"p{place}"
        each.attributes.get_or_create("color")
    decided = evaluate(tree, _catalog(*products))
    assert decided.tolist() == [meets(tree, each) for each in products]
