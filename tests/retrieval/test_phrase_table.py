"""Phrases are counted as a plain mapping would, whatever was put and removed before."""

import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.words_pb2 import SuggestionKind
from services.retrieval.words import phrase_table
from services.retrieval.words.packed_texts import PackedTexts
from services.retrieval.words.phrase_table import PhraseTable, said
from services.retrieval.words.phrases import Key, Phrase, folded, phrases_of
from tests.retrieval.builders import product

TITLES = ["Red Tee", "RED  tee", "ｒｅｄ tee", "红色T恤", "紅色t恤", "Blue mug, large", "!!", ""]
PRODUCTS = st.builds(
    lambda number, title, zh, brand, reviews: product(
        f"p{number}", title, zh=zh, brand=brand, category=["Home", title], review_count=reviews
    ),
    st.integers(0, 5),
    st.sampled_from(TITLES),
    st.sampled_from(TITLES),
    st.sampled_from(["", "Acme", "ACME"]),
    st.integers(0, 9),
)  # fmt: skip
CHANGES = st.lists(st.one_of(PRODUCTS, st.integers(0, 5)), max_size=30)


def _key(phrase: Phrase) -> Key:
    return folded(phrase.text), phrase.kind


class Plain:
    """The same with a mapping of phrases, and the products as they are."""

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.texts: dict[Key, str] = {}

    def put(self, put: Product) -> None:
        self.remove(put.id)
        self.products[put.id] = put
        for phrase in phrases_of(put):
            self.texts.setdefault(_key(phrase), phrase.text)

    def remove(self, product_id: str) -> None:
        self.products.pop(product_id, None)
        held = {_key(phrase) for each in self.products.values() for phrase in phrases_of(each)}
        self.texts = {key: text for key, text in self.texts.items() if key in held}

    def counted(self) -> dict[Key, tuple[str, int, float]]:
        found: dict[Key, tuple[str, int, float]] = {}
        for each in self.products.values():
            for key in {_key(phrase) for phrase in phrases_of(each)}:
                _, products, popularity = found.get(key, ("", 0, 0.0))
                popularity = popularity + math.log1p(each.review_count)
                found[key] = self.texts[key], products + 1, popularity
        return {key: each for key, each in found.items() if key[0]}


def _changed(changes: list[Product | int]) -> tuple[PhraseTable, Plain]:
    table, plain = PhraseTable(), Plain()
    for change in changes:
        if isinstance(change, Product):
            held = plain.products.get(change.id)
            table.put(said(change), said(held) if held is not None else None)
            plain.put(change)
        elif held := plain.products.get(f"p{change}"):
            table.remove(said(held))
            plain.remove(held.id)
    return table, plain


def _same(table: PhraseTable, plain: Plain) -> None:
    expected = plain.counted()
    assert len(table) == len(expected)
    for key, (text, products, popularity) in expected.items():
        counted = table.get(key)
        assert counted is not None
        assert (counted.phrase.text, counted.phrase.kind, counted.products) == (text, key[1], products)
        assert counted.popularity == pytest.approx(popularity)
    assert all(table.get(key) is None for key in (("red tee", 99), ("no such phrase", 1)))


@pytest.mark.parametrize("fresh", [0, 3, 4096])
@settings(deadline=None)
@given(changes=CHANGES)
def test_phrases_are_counted_whatever_was_before(fresh: int, changes: list[Product | int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phrase_table, "_LEAST_FRESH", fresh)
        patch.setattr(phrase_table, "_GATHERED_AT_ONCE", 2)
        table, plain = _changed(changes)
        _same(table, plain)
        _same(pickle.loads(pickle.dumps(table, protocol=5)), plain)


@settings(deadline=None)
@given(CHANGES, st.integers(1, 3))
def test_what_is_offered_is_every_phrase_but_queries_of_few_products(
    changes: list[Product | int], least: int
) -> None:
    table, plain = _changed(changes)
    offered = table.offered(least)
    keys = list(zip(map(folded, offered.texts), offered.kinds.tolist(), strict=True))
    query = SuggestionKind.SUGGESTION_KIND_QUERY
    wanted = {key: each for key, each in plain.counted().items() if key[1] != query or each[1] >= least}
    assert len(keys) == len(wanted)
    told = dict(
        zip(keys, zip(offered.products.tolist(), offered.popularity.tolist(), strict=True), strict=True)
    )
    assert told == {key: (products, pytest.approx(popular)) for key, (_, products, popular) in wanted.items()}


def test_removing_what_was_not_put_so_is_refused() -> None:
    table = PhraseTable()
    table.put(said(product("a", "Red tee")))
    with pytest.raises(KeyError, match="no product was put that says this"):
        table.remove(said(product("a", "Blue mug")))
    table.remove(said(product("a", "Red tee")))
    assert not len(table)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=9))
def test_packed_texts_are_the_same_texts(texts: list[str]) -> None:
    packed = PackedTexts(texts)
    assert list(packed) == texts
    assert packed[1:3] == texts[1:3]
    with pytest.raises(IndexError):
        packed[len(texts)]
