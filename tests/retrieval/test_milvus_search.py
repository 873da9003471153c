"""Search by Milvus itself: the dense path on both engines, words and hybrid where sparse vectors exist."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from services.retrieval.milvus_search import MilvusSearch, SearchLayout
from services.retrieval.sparse import TermStatistics

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import fusion
from services.retrieval.analyser import analyse
from services.retrieval.lexical import LexicalIndex
from services.retrieval.milvus_client import Engine, LiteEngine, ServerEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import RecordError
from services.retrieval.text import lexical_terms
from tests.retrieval.builders import DIMENSION, product, unit_rows

COUNT = 400
_COLORS = ("black", "red", "白色")
_GOODS = ("cotton shirt", "winter boots", "cordless drill", "electric kettle", "desk lamp")


def _shop() -> list[Product]:
    return [
        product(
            f"p/{number:03}",
            f"{_COLORS[number % 3]} {_GOODS[number % 5]} model {number}",
            brand=f"brand{number % 4}",
            price=float(number),
            color=_COLORS[number % 3],
            category=("Goods", f"c{number % 7}"),
            available=number % 10 != 0,
        )
        for number in range(COUNT)
    ]


@dataclass
class Searchable:
    """A searchable generation, and what was put into it."""

    search: MilvusSearch
    products: list[Product]
    embeddings: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    record: MilvusRecord

    def nearest(self, query: np.ndarray[tuple[int, ...], np.dtype[np.float32]], rows: list[int]) -> list[str]:
        """The ids of `rows` by brute force, best first."""
        order = np.argsort(-(self.embeddings[rows] @ query), kind="stable")
        return [self.products[rows[place]].id for place in order]


@pytest.fixture(scope="module", params=["lite", "server"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searchable]:
    engine: Engine = LiteEngine(tmp_path_factory.mktemp("lite") / "catalog.db")
    if request.param == "server":
        engine = ServerEngine(request.getfixturevalue("milvus").uri)
    products, embeddings, statistics = _shop(), unit_rows(COUNT), TermStatistics()
    for each in products:
        statistics.put(lexical_terms(each))
    layout = SearchLayout(statistics.mean_length, isinstance(engine, LiteEngine))
    record = MilvusRecord.open(engine, layout)
    generation = record.create("searched/1", DIMENSION)
    record.upsert(generation, products, embeddings)
    client = engine.open()
    yield Searchable(MilvusSearch(client, engine, generation, statistics), products, embeddings, record)
    record.drop(generation)
    client.close()
    record.close()


def test_nearest_products_are_those_of_brute_force(held: Searchable) -> None:
    found = []
    for query in unit_rows(20, seed=5):
        hits = held.search.dense(query, 50)
        found.append(len({*hits.ids} & {*held.nearest(query, list(range(COUNT)))[:50]}) / 50)
        assert (np.diff(hits.scores) <= 0).all()
    assert np.mean(found) >= 0.98


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ('facts["price"] < 30', lambda number: number < 30),
        ('facts["brand"] == "brand2" and facts["available"] == true', lambda n: n % 4 == 2 and n % 10 != 0),
        ('json_contains(facts["attributes"]["color"], "白色")', lambda number: number % 3 == 2),
        (
            'json_contains(facts["category"], "c3") and not (facts["price"] >= 100)',
            lambda n: n % 7 == 3 and n < 100,
        ),
        ('facts["price"] > 1000', lambda number: False),
    ],
)
def test_filter_is_applied_before_the_best_are_chosen(held: Searchable, where: str, matches: object) -> None:
    assert callable(matches)
    rows = [number for number in range(COUNT) if matches(number)]
    query = unit_rows(1, seed=9)[0]
    assert held.search.dense(query, 20, where).ids == held.nearest(query, rows)[:20]
    scanned = [each for page in held.search.scan(where) for each in page]
    assert sorted(scanned) == [held.products[row].id for row in rows]


def test_words_score_as_in_process(held: Searchable) -> None:
    index = LexicalIndex()
    for row, each in enumerate(held.products):
        index.put(row, lexical_terms(each))
    terms = analyse("black boots 白色 model 42")
    if isinstance(held.search._engine, ServerEngine):
        with pytest.raises(RecordError, match=r"older than Milvus 2\.4.*search in process"):
            held.search.words(terms, 20)
        return
    scores = index.scores(terms, COUNT)
    best = fusion.best(scores, 20)
    hits = held.search.words(terms, 20)
    np.testing.assert_allclose(hits.scores, scores[best], rtol=1e-4)
    by_id = {held.products[row].id: scores[row] for row in range(COUNT)}
    np.testing.assert_allclose(hits.scores, [by_id[each] for each in hits.ids], rtol=1e-4)
    assert held.search.words(["nowhere"], 20).ids == []


def test_hybrid_hits_carry_the_exact_scores_of_both_channels(held: Searchable) -> None:
    if isinstance(held.search._engine, ServerEngine):
        pytest.skip("Milvus 2.3 has no sparse vectors; hybrid search is tested on Milvus Lite")
    query, terms = unit_rows(1, seed=11)[0], analyse("red kettle")
    where = 'facts["price"] < 200'
    hits = held.search.hybrid(query, terms, 30, where)
    rows = [int(each.removeprefix("p/")) for each in hits.ids]
    assert {*held.search.dense(query, 30, where).ids, *held.search.words(terms, 30, where).ids} == {*hits.ids}
    assert max(rows) < 200
    np.testing.assert_allclose(hits.dense, held.embeddings[rows] @ query, rtol=1e-4, atol=1e-6)
    assert (hits.words > 0).sum() >= 30
