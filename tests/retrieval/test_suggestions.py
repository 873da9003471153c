"""Suggestions as one types: what the catalogue holds, found by what was typed so far."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aisle.catalog.v1.words_pb2 import SuggestionKind
from runtime.serving.errors import Unavailable
from services.retrieval.index import CatalogIndex
from services.retrieval.words import completion, phrase_table, suggesting
from services.retrieval.words.completion import Completer
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.suggesting import past_queries
from tests.retrieval.builders import DIMENSION, product, unit_rows

CASES = ["Phones", "Phone Cases"]
PRODUCTS = [
    product("g1", "Galaxy S7 Wallet Case", brand="Samsung", category=CASES, color="black"),
    product("g2", "Galaxy S7 Clear Case", brand="Samsung", category=CASES, color="black"),
    product("g3", "Galaxy Watch", brand="Samsung", category=["Watches"], review_count=900),
    product("i1", "iPhone Silicone Case", brand="Apple", category=CASES),
    product("t1", "Black tee", zh="黑色纯棉短袖T恤", category=["服装", "T恤"]),
    product("t2", "White tee", zh="白色 短袖 衬衫", category=["服装", "衬衫"]),
]


def _index(words: QueryWords | None = None) -> CatalogIndex:
    index = CatalogIndex(DIMENSION, words=words)
    index.upsert(PRODUCTS, unit_rows(len(PRODUCTS)))
    return index


@pytest.fixture(scope="module")
def index() -> CatalogIndex:
    return _index()


def _texts(index: CatalogIndex, prefix: str, limit: int = 8, language: str = "") -> list[str]:
    return [each.text for each in index.suggester.suggest(prefix, limit, language)]


def test_a_large_catalogue_never_holds_up_the_first_who_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggesting, "_AT_ONCE", 1)
    large = _index()
    with pytest.raises(Unavailable, match="for the first time"):
        large.suggester.suggest("sam")
    large.suggester.prepare().result()
    assert "Samsung" in _texts(large, "sam")
    large.close()


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("sam", "Samsung"),
        ("SAM", "Samsung"),
        ("phone c", "Phone Cases"),
        ("case phone", "Phone Cases"),
        ("galaxy s7", "galaxy s7"),
        ("black pho", "black phone cases"),
        ("samsung ph", "samsung phone cases"),
        ("smasu", "Samsung"),  # swapped
        ("samsunt", "Samsung"),  # another key
        ("amsung", "Samsung"),  # dropped
        ("短袖", "黑色纯棉短袖T恤"),
        ("衬", "衬衫"),
        ("襯", "衬衫"),
        ("chensh", "衬衫"),  # pinyin
        ("cs", "衬衫"),  # its initials
    ],
)
def test_what_was_begun_goes_on(index: CatalogIndex, prefix: str, text: str) -> None:
    assert text in _texts(index, prefix, 20)


@pytest.mark.parametrize("prefix", ["zzzz", "🎉", "!?", "sax", "袖短", "samsung kettle", "'"])
def test_what_nothing_goes_on_from_gets_nothing(index: CatalogIndex, prefix: str) -> None:
    assert _texts(index, prefix) == []


def test_kinds_paths_and_counts_are_told(index: CatalogIndex) -> None:
    assert index.suggester.suggest("phone c")[0].kind == SuggestionKind.SUGGESTION_KIND_CATEGORY
    found = {each.text: each for each in index.suggester.suggest("phone", 20)}
    assert list(found["Phone Cases"].category_path) == ["Phones", "Phone Cases"]
    assert found["Phone Cases"].products == 3
    assert index.suggester.suggest("apple")[0].kind == SuggestionKind.SUGGESTION_KIND_BRAND
    (title,) = (
        each for each in index.suggester.suggest("iphone sil", 20) if each.text == PRODUCTS[3].title["en"]
    )
    assert title.kind == SuggestionKind.SUGGESTION_KIND_PRODUCT


def test_what_was_typed_is_marked(index: CatalogIndex) -> None:
    (watch,) = (each for each in index.suggester.suggest("wat gal", 20) if each.text == "Galaxy Watch")
    assert [watch.text[span.start : span.end] for span in watch.highlights] == ["Gal", "Wat"]
    shirt = index.suggester.suggest("短袖", 1)[0]
    assert [shirt.text[span.start : span.end] for span in shirt.highlights] == ["短袖"]


def test_more_products_go_first_and_the_limit_holds(index: CatalogIndex) -> None:
    assert _texts(index, "s")[0] == "Samsung"
    assert len(_texts(index, "g", 2)) == 2


def test_language_chooses_the_script(index: CatalogIndex) -> None:
    assert _texts(index, "t", language="zh")
    assert all(not text.isascii() for text in _texts(index, "t", language="zh"))
    assert all(text.isascii() for text in _texts(index, "t", language="en"))


def test_new_products_are_offered_and_gone_ones_are_not() -> None:
    index = _index()
    assert _texts(index, "umbr") == []
    index.upsert([product("u", "Folding umbrella", category=["Umbrellas"])], unit_rows(1))
    assert "Umbrellas" in _texts(index, "umbr")
    index.delete(["u"])
    assert _texts(index, "umbr") == []
    index.upsert([product("g3", "Steel kettle", category=["Kettles"])], unit_rows(1))
    assert "Watches" not in _texts(index, "watc")


def _one_by_one(monkeypatch: pytest.MonkeyPatch, words: QueryWords | None = None) -> CatalogIndex:
    """A catalogue whose phrases are indexed beside, whenever asked."""
    monkeypatch.setattr(suggesting, "_AT_ONCE", 1)
    index = _index(words)
    index.suggester.prepare().result()
    return index


def _indexed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many phrases each indexing from now on is of."""
    indexed: list[int] = []

    class Counted(Completer):
        def __init__(self, folded: Sequence[str], scores: NDArray[np.floating]) -> None:
            indexed.append(len(folded))
            super().__init__(folded, scores)

    monkeypatch.setattr(suggesting, "Completer", Counted)
    return indexed


def test_what_changed_is_offered_without_indexing_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    index = _one_by_one(monkeypatch)
    indexed = _indexed(monkeypatch)
    index.upsert(
        [
            product("u", "Folding umbrella", category=["Umbrellas"]),
            product("g3", "Steel kettle", brand="Samsung"),
        ],
        unit_rows(2),
    )
    index.suggester.prepare().result()
    (changed,) = indexed
    assert "Umbrellas" in _texts(index, "umbr")
    assert "Umbrellas" in _texts(index, "umbrela")
    assert _texts(index, "watc") == []
    assert _texts(index, "sam").count("Samsung") == 1
    assert next(each for each in index.suggester.suggest("sam") if each.text == "Samsung").products == 3
    assert changed < index.held.phrases.offered(2).starts.size // 2
    index.close()


def test_what_is_gone_takes_no_place_among_those_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_LOOKED_AT", 1)
    index = _one_by_one(monkeypatch)
    best, *_ = _texts(index, "galaxy")
    assert best == "galaxy"
    index.delete(["g1", "g2"])
    index.suggester.prepare().result()
    assert _texts(index, "galaxy") == _texts(index, "galaxy", language="en") == ["Galaxy Watch"]
    assert _texts(index, "galaxy", language="zh") == []
    index.upsert(PRODUCTS[:2], unit_rows(2))
    index.suggester.prepare().result()
    assert _texts(index, "galaxy")[0] == best
    index.close()


def test_past_query_is_offered_though_the_product_called_so_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    index = _one_by_one(monkeypatch, QueryWords(past_queries=past_queries({"galaxy s7": 50})))
    index.delete(["g1"])  # one product alone is not offered as a query
    index.suggester.prepare().result()
    assert "galaxy s7" in [text.lower() for text in _texts(index, "galaxy")]
    index.close()


def test_all_is_indexed_anew_when_much_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrase_table, "_LEAST_CHANGED", 3)
    index = _one_by_one(monkeypatch)
    indexed = _indexed(monkeypatch)
    index.upsert([product("u", "Folding umbrella", category=["Umbrellas"])], unit_rows(1))
    index.suggester.prepare().result()
    assert indexed == [index.held.phrases.offered(2).starts.size]
    index.delete([each.id for each in PRODUCTS])
    index.suggester.prepare().result()
    assert "Umbrellas" in _texts(index, "umbr")
    assert _texts(index, "sam") == _texts(index, "galaxy") == []
    index.close()


def test_past_queries_are_offered_while_all_their_words_are_held() -> None:
    past = past_queries({"Galaxy watch strap": 900, "galaxy  case black": 50, "case galaxy": 3})
    index = _index(QueryWords(past_queries=past))
    assert _texts(index, "galaxy")[0] == "galaxy case black"
    assert "galaxy watch strap" not in _texts(index, "galaxy", 20)
    assert index.suggester.suggest("galaxy case b")[0].kind == SuggestionKind.SUGGESTION_KIND_QUERY


def test_a_catalogue_indexed_while_it_was_empty_is_indexed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggesting, "_AT_ONCE", 1)
    index = CatalogIndex(DIMENSION)
    index.suggester.prepare().result()
    assert _texts(index, "galaxy") == []
    index.upsert(PRODUCTS, unit_rows(len(PRODUCTS)))
    index.suggester.refresh()
    index.suggester.close()
    assert any(text.lower().startswith("galaxy") for text in _texts(index, "galaxy"))


def test_an_empty_catalogue_suggests_nothing() -> None:
    assert _texts(CatalogIndex(DIMENSION), "a") == []


@settings(deadline=None, max_examples=100)
@given(prefix=st.text(max_size=128), limit=st.integers(1, 20))
def test_any_beginning_is_answered_within_the_limit_and_its_spans(prefix: str, limit: int) -> None:
    found = _INDEX.suggester.suggest(prefix, limit)
    assert len(found) <= limit
    assert len({each.text for each in found}) == len(found)
    for each in found:
        ends = [0, *(end for span in each.highlights for end in (span.start, span.end)), len(each.text)]
        assert ends == sorted(ends)
        assert each.products > 0


_INDEX = _index()
