"""Misspelt queries are read as the catalogue's words; what may be meant as it stands is left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retrieval.index import CatalogIndex
from services.retrieval.words.vocabulary import Vocabulary
from tests.retrieval.builders import DIMENSION, product, unit_rows


def _index(titles: dict[str, int]) -> CatalogIndex:
    """An index of each title as many times as told."""
    products = [
        product(f"{title}-{copy}", title) for title, copies in titles.items() for copy in range(copies)
    ]
    index = CatalogIndex(DIMENSION)
    index.upsert(products, unit_rows(len(products)))
    return index


@pytest.fixture(scope="module")
def index() -> CatalogIndex:
    return _index(
        {
            "kitchen towels blue": 8,
            "wireless headphones for running": 6,
            "winter jacket women": 6,
            "dragon book for children": 5,
            "wagon toy for children": 5,
            "summer shirt MGKM2LL": 5,
            "phone case": 9,
            "黑色 短袖 T恤": 5,
        }
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("kitchne towels", "kitchen towels"),  # swapped
        ("kichen towels", "kitchen towels"),  # dropped
        ("kitchenn towels", "kitchen towels"),  # doubled
        ("kitchwn towels", "kitchen towels"),  # the key beside it
        ("wirelss haedphones", "wireless headphones"),
        ("wierlses headphones", "wireless headphones"),  # two edits in a long word
        ("Blue Towles!", "Blue towels!"),
        ("黑色 shrit 短袖", "黑色 shirt 短袖"),
        ("phonecase", "phone case"),
        ("vagon toy", "wagon toy"),  # its neighbour by frequency alone is as good; the toy tells
    ],
)
def test_misspelt_words_are_corrected(index: CatalogIndex, typed: str, meant: str) -> None:
    correction = index.correct(typed)
    assert correction is not None
    assert (correction.query, correction.confident) == (meant, True)


@pytest.mark.parametrize(
    "query",
    [
        "kitchen towels",
        "KITCHEN Towel",
        "mgkm3ll",  # a model number, one letter off another
        "13prro case",
        "kit",  # too short to tell
        "zyxwvut",  # like nothing
        "bowels",  # no product's, but a word of the language
        "🎉 🎉",
        "tоwels2",
        "'-'",
        "summer shirt MGKM2LL",
    ],
)
def test_what_is_known_coded_short_or_like_nothing_is_left_alone(index: CatalogIndex, query: str) -> None:
    assert index.correct(query) is None


def test_words_that_are_rare_or_past_help_do_not_keep_others_from_being_corrected() -> None:
    correction = _index({"cordless drill": 1, "kitchen towels": 5}).correct("cordles drill zyxwvut")
    assert correction is not None
    assert (correction.query, correction.confident) == ("cordless drill zyxwvut", True)


def test_two_readings_alike_are_offered_and_not_applied() -> None:
    correction = _index({"winter coat": 4, "winter boat": 4}).correct("winter koat doat")
    assert correction is None or not correction.confident


def test_a_rare_word_of_the_catalogue_is_offered_its_frequent_neighbour_but_searched_for() -> None:
    index = _index({"earbuds in white": 450, "eabuds in white": 1})
    correction = index.correct("eabuds")
    assert correction is not None
    assert (correction.query, correction.confident) == ("earbuds", False)
    assert _index({"earbuds": 20, "eabuds": 1}).correct("eabuds") is None


def test_words_come_and_go_with_their_products() -> None:
    index = _index({"red umbrella": 4})
    correction = index.correct("umbrela")
    assert correction is not None and correction.query == "umbrella"
    index.delete([f"red umbrella-{copy}" for copy in range(4)])
    assert index.correct("umbrela") is None
    index.upsert([product("u", "blue umbrella")], unit_rows(1))
    assert index.correct("umbrela") is not None
    index.upsert([product("u", "blue parasol")], unit_rows(1))
    assert index.correct("umbrela") is None


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_any_query_is_read_without_error_and_the_same_again(query: str) -> None:
    index = _index({"kitchen towels": 3})
    assert index.correct(query) == index.correct(query)
    if index.correct(query) is not None:
        assert index.may_be_misspelt(query)


def test_a_megabyte_is_read() -> None:
    assert _index({"kitchen towels": 3}).correct("kitchen " * 125_000) is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["red hat", "red coat", "hat"]))))
def test_counts_are_those_of_the_products_that_are_there(changes: list[tuple[str, str]]) -> None:
    vocabulary, titles = Vocabulary(), dict[str, str]()
    for number, (product_id, title) in enumerate(changes):
        held = product(product_id, titles.pop(product_id)) if product_id in titles else None
        if number % 3 < 2:
            vocabulary.put(product(product_id, title), held)
            titles[product_id] = title
        elif held is not None:
            vocabulary.remove(held)
    for words in (["red"], ["hat"], ["red", "hat"], ["coat", "hat"]):
        there = sum(set(words) <= set(title.split()) for title in titles.values())
        assert vocabulary.named_by(words) == there
    assert vocabulary.count("red") == sum("red" in title for title in titles.values())
    assert vocabulary.products == len(titles)


def test_a_word_whose_products_are_replaced_again_and_again_stays_small() -> None:
    vocabulary, same = Vocabulary(), product("same", "red hat")
    vocabulary.put(same)
    for _ in range(2_000):
        vocabulary.put(same, same)
    assert vocabulary.named_by(["red", "hat"]) == 1
    assert np.all([vocabulary.count(word) == 1 for word in ("red", "hat")])


def test_removing_a_product_that_was_put_with_other_words_is_refused() -> None:
    vocabulary = Vocabulary()
    vocabulary.put(product("a", "red hat"))
    for other in (product("a", "blue hat"), product("b", "red hat")):
        with pytest.raises(KeyError, match="was put with other words"):
            vocabulary.remove(other)
    assert vocabulary.named_by(["red", "hat"]) == 1
