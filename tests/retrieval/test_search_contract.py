"""One contract for what searches: this process, Milvus Lite, and a server as far as its version goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from aisle.catalog.v1.matches_pb2 import Count, EmptyReason
from aisle.catalog.v1.product_pb2 import Product
from runtime.serving.errors import FailedPrecondition, InvalidArgument, Unavailable
from runtime.settings import StartupError
from services.retrieval.answer import Retrieved
from services.retrieval.filters.parsing import parse
from services.retrieval.index import CatalogIndex
from services.retrieval.milvus.index_maker import MilvusIndexes
from services.retrieval.milvus.record import SearchedRecord
from services.retrieval.milvus_client import Engine, LiteEngine, ServerEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import StoredGeneration
from services.retrieval.searching import SearchIndex
from services.retrieval.selection import Selection
from tests.retrieval.builders import DIMENSION, product, unit_rows
from tests.retrieval.filtering import meets
from tests.retrieval.shop import COLORS, COUNT, EMBEDDINGS, GOODS, PRODUCTS


@dataclass
class Held:
    """An index with PRODUCTS, and the record that it may read."""

    index: SearchIndex[Any]
    record: SearchedRecord | None
    generation: StoredGeneration

    def put(self, products: Sequence[Product], embeddings: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        if self.record is not None:
            self.record.upsert(self.generation, products, embeddings)
        self.index.upsert(products, embeddings)

    def delete(self, ids: Sequence[str]) -> None:
        if self.record is not None:
            self.record.delete(self.generation, ids)
        self.index.delete(ids)


@pytest.fixture(scope="module", params=["in-process", "lite", "server"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    generation = StoredGeneration("", "contract/1", DIMENSION)
    if request.param == "in-process":
        held = Held(CatalogIndex(DIMENSION), None, generation)
        held.put(PRODUCTS, EMBEDDINGS)
        yield held
        held.index.close()
        return
    engine: Engine = LiteEngine(tmp_path_factory.mktemp("lite") / "catalog.db")
    if request.param == "server":
        engine = ServerEngine(request.getfixturevalue("milvus").uri)
    record = SearchedRecord.open(engine)
    generation = record.create(generation.embedding_space, DIMENSION)
    held = Held(MilvusIndexes(record).begin(generation), record, generation)
    held.put(PRODUCTS, EMBEDDINGS)
    yield held
    record.drop(generation)
    record.close()


def _searches_words(held: Held) -> bool:
    return held.record is None or held.record.search(held.generation).has_words


def _ids(found: Retrieved) -> list[str]:
    return list(found.candidates.products.ids)


def _admits(count: Count, truth: int) -> bool:
    return count.lower <= truth <= count.upper and count.exact == (count.lower == count.upper)


def test_best_by_words_and_meaning_are_nearly_those_of_the_whole_catalogue(held: Held) -> None:
    if not _searches_words(held):
        pytest.skip("Milvus 2.3 has no sparse vectors; words are searched on Milvus Lite")
    whole = CatalogIndex(DIMENSION)
    whole.upsert(PRODUCTS, EMBEDDINGS)
    agreed = []
    for number, embedding in enumerate(unit_rows(5, seed=5)):
        query = f"{COLORS[number % 3]} {GOODS[number % 5]}"
        expected, found = whole.search(query, embedding, 20), held.index.search(query, embedding, 20)
        agreed.append(len({*_ids(found)} & {*_ids(expected)}) / 20)
        channels = {each.channel for each in found.candidates.channels}
        assert channels == {"lexical", "dense"}
        assert np.diff(found.candidates.fused_scores).max() <= 0
    whole.close()
    assert np.mean(agreed) >= 0.9


def test_a_rare_word_finds_its_product_without_an_embedding(held: Held) -> None:
    if not _searches_words(held):
        pytest.skip("Milvus 2.3 has no sparse vectors; words are searched on Milvus Lite")
    found = held.index.search("model x123", None, 5)
    assert _ids(found)[0] == "p/123"
    nothing = held.index.search("qqqqqq", None, 5)
    assert nothing.selected.emptiness is not None
    assert nothing.selected.emptiness.reason == EmptyReason.EMPTY_REASON_NO_KNOWN_WORD


def test_what_is_not_wanted_falls_behind(held: Held) -> None:
    if not _searches_words(held):
        pytest.skip("Milvus 2.3 has no sparse vectors; words are searched on Milvus Lite")
    embedding = unit_rows(1, seed=5)[0]
    black = {each.id for each in PRODUCTS if "black" in each.attributes["color"].values}
    query = "cotton shirt without black"
    by_words = _ids(held.index.search(query, None, 20))
    assert by_words and not black.intersection(by_words)
    by_both = [_ids(held.index.search(each, embedding, 20)) for each in (query, "black cotton shirt")]
    assert len(black.intersection(by_both[0])) < len(black.intersection(by_both[1]))


def test_similar_products_are_the_nearest_and_all_others_are_counted(held: Held) -> None:
    found = held.index.similar_to("p/017", 20, ["p/001"])
    order = np.argsort(-(EMBEDDINGS @ EMBEDDINGS[17]), kind="stable")
    nearest = [PRODUCTS[row].id for row in order if row != 17][:20]
    assert len({*_ids(found)} & {*nearest}) >= 19
    assert found.selected.total == Count(value=COUNT - 1, lower=COUNT - 1, upper=COUNT - 1, exact=True)
    assert list(found.history.ids) == ["p/001"]
    with pytest.raises(KeyError):
        held.index.similar_to("nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "NOT price >= 30",
        'brand != "brand 2" AND rating:*',
        "category:goods/c3 OR attributes.color = red AND availability = in_stock",
        'attributes."odd \\"key\\" 👕=x" = TWO',
    ],
)
def test_as_many_as_pass_the_filter_come_back_and_no_others(held: Held, text: str) -> None:
    tree = parse(text)
    assert tree is not None
    passing = {each.id for each in PRODUCTS if meets(tree, each)}
    found = held.index.search("black shirt", unit_rows(1, seed=9)[0], 100, wish=Selection(filter=tree))
    assert {*_ids(found)} <= passing
    assert len(_ids(found)) == min(100, len(passing))
    similar = held.index.similar_to("p/123", 100, wish=Selection(filter=tree))
    assert len(_ids(similar)) == min(100, len(passing - {"p/123"}))
    assert similar.selected.total.value == len(passing - {"p/123"})


def test_counts_admit_the_number_there_is(held: Held) -> None:
    wish = Selection(
        filter=parse('brand = "brand 1"'), facets=("brand", "price", "category.2", "attributes.color")
    )
    found = held.index.similar_to("p/123", 5, wish=wish)
    brands = {each.value: each.count for each in found.selected.facets[0].values}
    truth = sum(each.brand == "Brand 2" for each in PRODUCTS)
    assert _admits(brands["Brand 2"], truth)
    colors = {each.value: each.count for each in found.selected.facets[3].values}
    for color in COLORS:
        number = sum(each.brand == "Brand 1" and color in each.title["en"] for each in PRODUCTS)
        assert color not in colors or _admits(colors[color], number)
    collapsed = held.index.similar_to("p/123", 50, wish=Selection(collapse_variants=True))
    groups = [held.index.get([each])[0].group_id for each in _ids(collapsed)]
    assert len(set(groups)) == len(groups) == 50


def test_a_filter_that_excludes_everything_is_told(held: Held) -> None:
    wish = Selection(filter=parse('price > 1e6 AND brand = "brand 1"'))
    found = held.index.search("black shirt", unit_rows(1, seed=9)[0], 10, wish=wish)
    assert not _ids(found)
    emptiness = found.selected.emptiness
    assert emptiness is not None
    assert (emptiness.reason, emptiness.condition) == (EmptyReason.EMPTY_REASON_FILTERED, "price > 1e6")


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        (Selection(filter=parse("attributes.size = 3")), "filter", "attributes.color"),
        (Selection(filter=parse("brand < 3")), "filter", "brand is a text"),
        (Selection(filter=parse("price = cheap")), "filter", "price is a number"),
        (Selection(facets=("size",)), "facets", "attributes.color"),
    ],
)
def test_a_field_there_is_not_is_told(held: Held, wish: Selection, field: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        held.index.search("shirt", unit_rows(1)[0], wish=wish)
    assert words in caught.value.fields[field]
    with pytest.raises(InvalidArgument) as caught:
        held.index.for_user([], wish=wish)
    assert words in caught.value.fields[field]


def test_recommended_products_are_popular_buyable_new_to_the_user_and_pass_the_filter(held: Held) -> None:
    wish = Selection(filter=parse("price < 400 AND category:goods/c1"))
    popular = held.index.for_user([], 10, wish=wish)
    rows = [int(each.removeprefix("p/")) for each in _ids(popular)]
    passing = [n for n in range(300) if n % 7 == 1 and n % 10 and n % 13]
    assert len(rows) == 10
    assert {*rows} <= {*passing}
    assert popular.selected.total.value == len(passing)
    assert np.mean([row % 50 for row in rows]) > np.mean([row % 50 for row in passing])
    history = [f"p/{each:03}" for each in rows[:3]]
    again = held.index.for_user(history, 10, wish=wish)
    assert not {*history} & {*_ids(again)}
    assert list(again.history.ids) == history
    assert {"dense", "popular", "fresh"} <= {each.channel for each in again.candidates.channels}


def test_writes_are_found_and_counted_at_once(held: Held) -> None:
    embedding = unit_rows(1, seed=77)
    wish = Selection(filter=parse("price = 4321"))
    added = product("new", "zyxwv gadget", price=4321, color="teal")
    for title in ("zyxwv gadget", "zyxwv gadget mark two"):
        added.title["en"] = title
        held.put([added], embedding)
        assert len(held.index) == COUNT + 1
        assert _ids(held.index.search("gadget", embedding[0], 3, wish=wish)) == ["new"]
        assert held.index.get(["new", "nowhere"]) == [added]
    if _searches_words(held):
        assert _ids(held.index.search("zyxwv", None, 3)) == ["new"]
    (known,) = held.index.embeddings_of([added])
    assert known is not None
    np.testing.assert_allclose(known, embedding[0], atol=1e-6)
    assert held.index.embeddings_of([product("new", "another text")]) == [None]
    held.delete(["new", "nowhere"])
    assert len(held.index) == COUNT
    assert not _ids(held.index.search("gadget", embedding[0], 3, wish=wish))
    assert sorted(held.index.ids()) == [each.id for each in PRODUCTS]


def test_statistics_are_those_of_a_fresh_count(held: Held) -> None:
    if held.record is None:
        pytest.skip("the index in process counts nothing beside")
    kept = held.record.statistics(held.generation)
    other = SearchedRecord(held.record._client, held.record._engine).statistics(held.generation)
    terms = ["black", "boot", "x123"]
    assert len(kept) == len(other)
    kept_spread, other_spread = kept.terms.spread(terms), other.terms.spread(terms)
    assert kept_spread.mean == pytest.approx(other_spread.mean)
    assert kept_spread.deviation == pytest.approx(other_spread.deviation)
    np.testing.assert_allclose(kept.mean(), other.mean(), atol=1e-5)


def test_what_milvus_cannot_do_is_refused_with_the_remedy(held: Held) -> None:
    if held.record is None:
        pytest.skip("in process there are suggestions")
    with pytest.raises(FailedPrecondition, match="--search in-process"):
        held.index.suggester.suggest("bla")


def test_what_milvus_does_not_answer_is_unavailable(held: Held) -> None:
    if held.record is None:
        pytest.skip("in process nothing else is asked")
    dropped = held.record.create("dropped/1", DIMENSION)
    index = MilvusIndexes(held.record).begin(dropped)
    held.record.drop(dropped)
    with pytest.raises(Unavailable, match="did not answer"):
        index.search("shirt", EMBEDDINGS[0])


def test_a_record_of_another_search_is_refused_with_the_remedy(held: Held) -> None:
    if held.record is None:
        pytest.skip("there is no record")
    with pytest.raises(StartupError, match="another --search"):
        MilvusRecord(held.record._client, held.record._engine).generations()
