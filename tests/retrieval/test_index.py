"""The catalogue in memory."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import DictionaryColumn
from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.filters.parsing import parse
from services.retrieval.history import taste
from services.retrieval.index import CatalogIndex, Retrieved
from services.retrieval.selection import Selection
from tests.retrieval.builders import DIMENSION, product, towards, unit_rows


def _index(products: Sequence[Product], embeddings: NDArray[np.float32] | None = None) -> CatalogIndex:
    index = CatalogIndex(DIMENSION)
    index.upsert(products, unit_rows(len(products)) if embeddings is None else embeddings)
    return index


def _ids(found: Retrieved) -> list[str]:
    return list(found.candidates.products.ids)


def _values(column: DictionaryColumn) -> list[str]:
    return [column.values[code] if code >= 0 else "" for code in column.indices]


def _shirts() -> CatalogIndex:
    products = [
        product(
            "black", "black summer t-shirt", zh="黑色夏季T恤", color="black", category=["tops", "t-shirt"]
        ),
        product("white", "white summer t-shirt", zh="白色夏季T恤", color="white", price=59.0),
        product("drill", "cordless drill", zh="充电电钻", brand="Bora", rating=4.5, review_count=12),
    ]
    return _index(products, np.stack([towards(0), towards(0, 0.3), towards(4)]))


@pytest.mark.parametrize(
    "query", ["T恤 黑色 夏季", "black summer t-shirt", "BLACK SUMMER TSHIRTS", "黑色Ｔ恤"]
)
def test_both_languages_find_the_same_product_by_words(query: str) -> None:
    assert _ids(_shirts().search(query, None))[:2] == ["black", "white"]


def test_without_an_embedding_only_products_with_a_word_of_the_query_are_candidates() -> None:
    found = _shirts().search("drill", None)
    assert _ids(found) == ["drill"]
    assert found.matched == 1
    assert [channel.channel for channel in found.candidates.channels] == ["lexical"]


def test_a_product_without_any_word_of_the_query_is_found_by_meaning() -> None:
    found = _shirts().search("perceuse", towards(4), limit=1)
    assert _ids(found) == ["drill"]
    lexical, dense = found.candidates.channels
    assert (list(lexical.ranks), list(dense.ranks)) == ([0], [1])
    assert list(lexical.scores) == [0]
    assert dense.scores[0] == pytest.approx(1)


def test_candidates_come_as_columns_in_descending_order() -> None:
    candidates = _shirts().search("summer t-shirt", towards(0), history_ids=["white"]).candidates
    assert list(candidates.fused_scores) == sorted(candidates.fused_scores, reverse=True)
    by_id = dict(zip(candidates.products.ids, range(3), strict=True))
    products = candidates.products
    assert _values(products.categories)[by_id["black"]] == "tops/t-shirt"
    assert _values(products.brands)[by_id["drill"]] == "Bora"
    assert _values(products.attributes["color"])[by_id["white"]] == "white"
    assert _values(products.attributes["color"])[by_id["drill"]] == ""
    assert products.prices[by_id["white"]] == 59
    assert np.isnan(products.prices[by_id["drill"]])
    assert [_values(products.currencies)[by_id[each]] for each in ("white", "drill")] == ["CNY", ""]
    assert products.review_counts[by_id["drill"]] == 12
    assert list(products.available) == [True] * 3
    expected = towards(0) @ towards(0, 0.3)
    assert candidates.history_affinities[by_id["black"]] == pytest.approx(expected)


def test_history_is_returned_in_the_order_asked_without_unknown_products() -> None:
    found = _shirts().search("x", towards(0), history_ids=["drill", "gone", "black"])
    assert list(found.history.ids) == ["drill", "black"]


def test_newest_history_weighs_most() -> None:
    newest = taste(np.stack([towards(0), towards(2)]))
    assert newest[0] > newest[2] > 0
    assert np.linalg.norm(newest) == pytest.approx(1)


def test_limit_cuts_and_matched_counts_before_the_cut() -> None:
    index = _index([product(str(number), "shirt") for number in range(20)])
    found = index.search("shirt", towards(0), limit=5)
    assert len(_ids(found)) == 5
    assert found.matched == 20


def test_products_that_were_shown_follow_the_best_wherever_they_rank() -> None:
    found = _shirts().search("black t-shirt", towards(0), limit=1, also=["drill", "gone", "black", "white"])
    assert _ids(found) == ["black", "white", "drill"]
    assert list(found.candidates.fused_scores) == sorted(found.candidates.fused_scores, reverse=True)


def test_empty_index_answers_with_nothing() -> None:
    index = CatalogIndex(DIMENSION)
    for found in (index.search("x", towards(0)), index.search("x", None), index.for_user([])):
        assert _ids(found) == []
        assert found.matched == 0


def test_similar_products_leave_out_the_product_itself() -> None:
    assert _ids(_shirts().similar_to("black")) == ["white", "drill"]
    with pytest.raises(KeyError):
        _shirts().similar_to("gone")


def test_user_without_history_gets_popular_products_that_can_be_bought() -> None:
    index = _index(
        [
            product("one-fan", rating=5, review_count=1),
            product("liked", rating=4.6, review_count=900),
            product("disliked", rating=1.2, review_count=900),
            product("sold-out", rating=5, review_count=9000, available=False),
            product("unrated"),
        ]
    )
    found = index.for_user([])
    assert _ids(found) == ["liked", "disliked", "one-fan", "unrated"]
    popular, fresh = found.candidates.channels
    assert (popular.channel, fresh.channel) == ("popular", "fresh")
    assert popular.ranks[-1] == 0


def test_user_with_history_gets_products_near_it_and_not_the_history() -> None:
    found = _shirts().for_user(["black", "gone"])
    assert _ids(found) == ["white", "drill"]
    assert {channel.channel for channel in found.candidates.channels} == {"popular", "dense", "fresh"}
    expected = [float(towards(0) @ each) for each in (towards(0, 0.3), towards(4))]
    assert found.candidates.history_affinities[0] == pytest.approx(expected[0])
    cosines = np.frombuffer(found.candidates.history_cosines, np.int8)  # all candidates for one product
    assert cosines[0] == round(127 * expected[0]) and cosines.shape == (2,)
    assert not _shirts().for_user([]).candidates.history_cosines


def test_products_are_read_in_the_order_asked() -> None:
    index = _shirts()
    assert [found.id for found in index.get(["drill", "gone", "black"])] == ["drill", "black"]
    assert index.get(["black"])[0].title["zh"] == "黑色夏季T恤"


def test_lexical_scores_computed_before_a_change_are_not_used_after_it() -> None:
    index = _shirts()
    words = index.match_words("drill")
    index.upsert([product("new", "drill drill drill")], towards(1)[None])
    index.delete(["black"])
    assert set(_ids(index.search("drill", None, words=words))) == {"new", "drill"}


@pytest.mark.parametrize("exact_rows", [1_000, 4])
def test_search_under_a_filter_finds_the_same_after_one_without_as_alone(exact_rows: int) -> None:
    products = [product(f"p{row}", f"shirt number {row}", price=row) for row in range(300)]
    embeddings = unit_rows(300)
    wish = Selection(filter=parse("price < 200"), facets=["price"])

    def built() -> CatalogIndex:
        index = CatalogIndex(DIMENSION, exact_rows=exact_rows)
        index.upsert(products, embeddings)
        index.settle()
        return index

    index, query, history = built(), embeddings[150], ["p9"]
    first = index.search("shirt 150", query, 20, history)
    again = index.search("shirt 150", query, 20, history, wish=wish)
    alone = built().search("shirt 150", query, 20, history, wish=wish)
    assert (again.candidates, again.selected.total) == (alone.candidates, alone.selected.total)
    assert again.selected.facets == alone.selected.facets
    assert first.candidates == index.search("shirt 150", query, 20, history).candidates
    index.upsert(products[150:151], embeddings[7:8])
    moved = built()
    moved.upsert(products[150:151], embeddings[7:8])
    assert index.search("shirt 150", query, 20, history) != first
    assert (
        index.search("shirt 150", query, 20, history).candidates
        == moved.search("shirt 150", query, 20, history).candidates
    )


def test_embeddings_of_a_wrong_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \[1, 8\]"):
        CatalogIndex(DIMENSION).upsert([product("a")], np.zeros((1, 7), np.float32))
    with pytest.raises(ValueError, match="query must be"):
        _shirts().search("x", np.zeros(7, np.float32))


_CHANGES = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["red shirt", "blue shirt", "黑色 T恤", "drill", None])),
    max_size=25,
)


@settings(deadline=None)
@given(_CHANGES)
def test_an_index_changed_in_place_equals_one_built_at_once(changes: list[tuple[int, str | None]]) -> None:
    changed = CatalogIndex(DIMENSION)
    held: dict[str, tuple[Product, NDArray[np.float32]]] = {}
    for step, (number, title) in enumerate(changes):
        product_id = f"p{number}"
        if title is None:
            assert changed.delete([product_id]) == (held.pop(product_id, None) is not None)
        else:
            held[product_id] = (
                product(product_id, title, brand=title[:3], color=title[-3:], price=float(step)),
                unit_rows(1, seed=step)[0],
            )
            changed.upsert([held[product_id][0]], held[product_id][1][None])
    fresh = CatalogIndex(DIMENSION)
    for one, embedding in held.values():
        fresh.upsert([one], embedding[None])
    assert len(changed) == len(held)
    for query, vector in (("red T恤", towards(0)), ("shirt", None), ("黑色", towards(3))):
        ours, theirs = changed.search(query, vector), fresh.search(query, vector)
        assert _facts(ours) == _facts(theirs)
        assert _scores(ours) == pytest.approx(_scores(theirs), abs=1e-3)
        assert ours.matched == theirs.matched


def _facts(found: Retrieved) -> dict[str, tuple[object, ...]]:
    """What an answer says beside scores, by product: equal scores may come in any order of rows."""
    candidates, products = found.candidates, found.candidates.products
    columns = [
        products.prices,
        _values(products.brands),
        _values(products.attributes["color"]),
        *(channel.ranks for channel in candidates.channels),
    ]
    return {each[0]: each[1:] for each in zip(products.ids, *columns, strict=True)}


def _scores(found: Retrieved) -> dict[tuple[str, str], float]:
    """The fused scores and the channels', by product."""
    columns = {"fused": found.candidates.fused_scores}
    columns |= {channel.channel: channel.scores for channel in found.candidates.channels}
    ids = found.candidates.products.ids
    return {
        (name, each): score
        for name, scores in columns.items()
        for each, score in zip(ids, scores, strict=True)
    }


def test_searches_beside_changes_see_every_product_whole() -> None:
    """A product is always either its old or its new self: colour, price and words agree."""
    index = _index([product(f"p{number}", "red shirt", color="red", price=1) for number in range(50)])
    stop, wrong = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            products = index.search("blue", None).candidates.products
            for color, price in zip(_values(products.attributes["color"]), products.prices, strict=True):
                if (color, price) != ("blue", 2):
                    wrong.append((color, price))

    searchers = [threading.Thread(target=search) for _ in range(2)]
    for thread in searchers:
        thread.start()
    for number in range(200):
        title, color, price = (("blue shirt", "blue", 2), ("red shirt", "red", 1))[number // 50 % 2]
        changed = product(f"p{number % 50}", title, color=color, price=price)
        index.upsert([changed], unit_rows(1, seed=number))
        if number % 7 == 0:
            index.delete([changed.id])
            index.upsert([changed], unit_rows(1, seed=number))
    stop.set()
    for thread in searchers:
        thread.join(10)
    assert wrong == []
