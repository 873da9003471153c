"""What a search lets through, counts and collapses, and why it finds nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.catalog.v1.matches_pb2 import Count, EmptyReason, Facet
from aisle.catalog.v1.product_pb2 import Product
from runtime.serving.errors import InvalidArgument
from services.retrieval.filters.parsing import parse
from services.retrieval.index import CatalogIndex, Retrieved
from services.retrieval.ranges import round_bounds
from services.retrieval.selection import Selection
from services.retrieval.variants import collapse, sizes
from tests.retrieval.builders import DIMENSION, product, towards, unit_rows

COLORS = ("black", "white", "red")


def _index(*products: Product) -> CatalogIndex:
    index = CatalogIndex(DIMENSION)
    index.upsert(products, unit_rows(len(products)))
    return index


def _shirts(n: int = 60) -> CatalogIndex:
    """Shirts of three colours, two brands and prices from 0 to n − 1."""
    return _index(
        *(
            product(
                f"p{number}",
                "shirt",
                color=COLORS[number % 3],
                brand=("Nike", "Puma")[number % 2],
                price=number,
                category=["clothing", ("t-shirt", "polo")[number % 4 // 2]],
            )
            for number in range(n)
        )
    )


def _find(
    index: CatalogIndex,
    filter: str = "",
    *facets: str,
    query: str = "shirt",
    limit: int = 200,
    collapse: bool = False,
) -> Retrieved:
    wish = Selection(filter=parse(filter), facets=facets, collapse_variants=collapse)
    return index.search(query, towards(0), limit, wish=wish)


def _ids(found: Retrieved) -> list[str]:
    return list(found.candidates.products.ids)


def _counts(facet: Facet) -> dict[str, int]:
    return {each.value: each.count.value for each in facet.values}


def _exactly(value: int) -> Count:
    return Count(value=value, lower=value, upper=value, exact=True)


def test_k_products_come_back_when_k_pass_the_filter_however_low_they_rank() -> None:
    index = _shirts(1000)
    last = _ids(index.search("shirt", towards(0), limit=1000))[-7:]
    found = _find(index, f"id IN ({','.join(last)})", limit=5)
    assert _ids(found) == last[:5]
    assert found.selected.total == _exactly(7)


def test_a_filter_changes_neither_scores_nor_order() -> None:
    index = _shirts()
    everything, some = _find(index), _find(index, "price < 20")
    scores = dict(zip(_ids(everything), everything.candidates.fused_scores, strict=True))
    assert _ids(some) == [each for each in _ids(everything) if int(each[1:]) < 20]
    assert list(some.candidates.fused_scores) == [scores[each] for each in _ids(some)]


def test_only_allowed_rows_are_answered_with() -> None:
    index = _shirts()
    allowed = np.arange(60) % 10 == 0
    expected = {f"p{number}" for number in range(0, 60, 10)}
    for found in (
        index.search("shirt", towards(0), allowed=allowed),
        index.search("shirt", None, allowed=allowed),
        index.for_user([], allowed=allowed),
        index.similar_to("p1", allowed=allowed),
    ):
        assert set(_ids(found)) == expected
        assert found.matched == len(expected)


def test_recommendations_and_similar_products_keep_the_filter() -> None:
    index, wish = _shirts(), Selection(filter=parse("brand = puma AND price < 10"))
    assert set(_ids(index.for_user(["p1"], wish=wish))) == {"p3", "p5", "p7", "p9"}
    assert set(_ids(index.similar_to("p3", wish=wish))) == {"p1", "p5", "p7", "p9"}


def test_one_common_word_of_a_long_query_makes_no_match() -> None:
    shirts = [product(f"s{number}", "black cotton summer shirt") for number in range(20)]
    others = [product(f"o{number}", "black thing") for number in range(900)]
    found = _index(*shirts, *others).search("black cotton summer shirt", None)
    assert found.matched < 920
    assert {f"s{number}" for number in range(20)} <= set(_ids(found))


def test_facets_count_what_matches_under_the_filter() -> None:
    (colors, brands, levels) = _find(
        _shirts(), "price < 30", "attributes.color", "brand", "category.2"
    ).selected.facets
    assert colors.field == "attributes.color"
    assert _counts(colors) == {"black": 10, "red": 10, "white": 10}
    assert _counts(brands) == {"Nike": 15, "Puma": 15}
    assert _counts(levels) == {"clothing/polo": 14, "clothing/t-shirt": 16}
    assert colors.other == _exactly(0)
    assert all(each.count.exact for each in colors.values)


def test_a_field_that_is_filtered_keeps_its_siblings() -> None:
    filter_ = "attributes.color = black AND brand = nike"
    colors, brands = _find(_shirts(), filter_, "attributes.color", "brand").selected.facets
    assert _counts(colors) == {"black": 10, "red": 10, "white": 10}
    assert _counts(brands) == {"Nike": 10, "Puma": 10}


@pytest.mark.parametrize(
    "filter_", ["", "price >= 10", "brand = nike", "attributes.color = red OR price < 7"]
)
def test_the_count_of_a_value_is_the_total_once_it_is_chosen(filter_: str) -> None:
    index = _shirts(500)
    facets = _find(
        index, filter_, "category.2", "attributes.color", "price", query="red shirt"
    ).selected.facets
    levels, colors, prices = facets
    joined = f"({filter_}) AND " if filter_ else ""
    asked = [(f'category:"{each.value}"', each.count) for each in levels.values]
    if "color" not in filter_:
        asked += [(f'attributes.color = "{each.value}"', each.count) for each in colors.values]
    if "price" not in filter_:
        for each in prices.ranges:
            bounds = [f"price >= {each.start}"] if each.HasField("start") else ["price:*"]
            bounds += [f"price < {each.end}"] if each.HasField("end") else []
            asked.append((" AND ".join(bounds), each.count))
    assert asked
    for condition, count in asked:
        assert _find(index, joined + condition, query="red shirt").selected.total == count


def test_values_beyond_the_limit_are_counted_together() -> None:
    wish = Selection(facets=["brand"], facet_limit=2)
    index = _index(*(product(str(number), brand=f"b{number // 2}") for number in range(10)), product("none"))
    (brands,) = index.search("thing", towards(0), wish=wish).selected.facets
    assert _counts(brands) == {"b0": 2, "b1": 2}
    assert brands.other == _exactly(6)


def test_one_value_in_two_spellings_counts_as_one() -> None:
    both = product("both", color="black")
    both.attributes["color"].values.extend(["BLACK", "white"])
    (colors,) = _find(_index(both, product("b", color="Black")), "", "attributes.color").selected.facets
    assert _counts(colors) == {"black": 2, "white": 1}


def test_numbers_come_in_ranges_with_their_bounds() -> None:
    prices, ratings = _find(
        _index(
            *(product(str(each), price=each, rating=each % 5 + 0.5) for each in range(100)), product("free")
        ),
        "",
        "price",
        "rating",
        query="thing",
    ).selected.facets
    assert (prices.least, prices.greatest) == (0, 99)
    assert sum(each.count.value for each in prices.ranges) == 100
    assert [each.end for each in prices.ranges[:-1]] == [each.start for each in prices.ranges[1:]]
    assert not prices.ranges[0].HasField("start") and not prices.ranges[-1].HasField("end")
    assert [each.count.value for each in ratings.ranges] == [20] * 5
    assert [each.start for each in ratings.ranges] == [0, 1, 2, 3, 4]


def test_facet_of_a_number_that_no_match_has_is_empty() -> None:
    (prices,) = _find(_index(product("a")), "", "price").selected.facets
    assert not prices.ranges and not prices.HasField("least")


@given(st.lists(st.floats(0, 1e9), max_size=50), st.integers(1, 100))
def test_bounds_are_few_ascending_and_inside(numbers: list[float], most: int) -> None:
    bounds = round_bounds(np.array(numbers), most)
    assert len(bounds) < most or not bounds
    assert list(bounds) == sorted(set(bounds))
    assert all(min(numbers) < each <= max(numbers) for each in bounds)


def test_variants_are_one_hit_and_count_as_one() -> None:
    variants = [product(f"v{number}", "shirt", color=COLORS[number], group="tee") for number in range(3)]
    index = _index(*variants, product("single", "shirt", color="black"))
    separate = _find(index)
    assert len(_ids(separate)) == 4 and not separate.candidates.variants
    found = _find(index, "", "attributes.color", collapse=True)
    best = next(each for each in _ids(separate) if each != "single")
    assert set(_ids(found)) == {best, "single"}
    assert dict(zip(_ids(found), found.candidates.variants, strict=True)) == {best: 3, "single": 1}
    assert found.selected.total == _exactly(2)
    assert sum(_counts(found.selected.facets[0]).values()) == 2


def test_the_best_variant_is_the_best_of_those_that_pass_the_filter() -> None:
    variants = [product(f"v{number}", "shirt", color=COLORS[number], group="tee") for number in range(3)]
    found = _find(_index(*variants), "attributes.color IN (white, red)", collapse=True)
    assert len(_ids(found)) == 1 and _ids(found) != ["v0"]
    assert list(found.candidates.variants) == [2]


@given(st.lists(st.tuples(st.booleans(), st.integers(-1, 4), st.integers(0, 3)), max_size=30))
def test_collapsing_keeps_the_best_row_of_each_group(rows: list[tuple[bool, int, int]]) -> None:
    found = np.array([row[0] for row in rows], np.bool_)
    groups = np.array([row[1] for row in rows], np.int32)
    scores = np.array([row[2] for row in rows], np.float32)
    expected = set()
    for place, (is_found, group, _) in enumerate(rows):
        rivals = [i for i, row in enumerate(rows) if row[0] and row[1] == group]
        if is_found and (group < 0 or place == max(rivals, key=lambda i: (rows[i][2], -i))):
            expected.add(place)
    kept = collapse(found, scores, groups)
    assert set(np.flatnonzero(kept).tolist()) == expected
    for row, size in zip(np.flatnonzero(kept), sizes(np.flatnonzero(kept), found, groups), strict=True):
        assert size == (1 if groups[row] < 0 else int((found & (groups == groups[row])).sum()))


def test_why_nothing_is_found() -> None:
    empty = CatalogIndex(DIMENSION).search("shirt", None).selected.emptiness
    assert empty is not None and empty.reason == EmptyReason.EMPTY_REASON_CATALOG_EMPTY
    no_word = _shirts().search("xyzzy", None).selected.emptiness
    assert no_word is not None and no_word.reason == EmptyReason.EMPTY_REASON_NO_KNOWN_WORD
    alone = _index(product("a")).similar_to("a").selected.emptiness
    assert alone is not None and alone.reason == EmptyReason.EMPTY_REASON_NOTHING_ELSE
    assert _find(_shirts()).selected.emptiness is None


def test_an_excluding_filter_is_told_with_its_worst_condition() -> None:
    why = _find(_shirts(), "brand = nike AND price > 1000 AND attributes.color = red").selected.emptiness
    assert why is not None
    assert why.reason == EmptyReason.EMPTY_REASON_FILTERED
    assert (why.condition, why.without_filter) == ("price > 1000", _exactly(60))
    assert why.without_condition == _exactly(10)
    both = _find(_shirts(), "price > 1000 AND brand = adidas").selected.emptiness
    assert both is not None and both.without_condition == _exactly(0)


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        (Selection(filter=parse("size = 3")), "filter", "at character 0: there is no field 'size'"),
        (Selection(facets=["size"]), "facets", "category.1 to category.9"),
        (Selection(facets=["attributes.size"]), "facets", "attributes.color"),
        (Selection(facets=["category.0"]), "facets", "no facet 'category.0'"),
    ],
)
def test_unknown_field_is_refused_with_the_known_ones(wish: Selection, field: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        _shirts().search("shirt", towards(0), wish=wish)
    assert words in caught.value.fields[field]
