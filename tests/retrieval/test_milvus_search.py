"""What Milvus is asked: the nearest on both engines, filters on both, words where sparse vectors exist."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from services.retrieval import fusion
from services.retrieval.analyser import analyse
from services.retrieval.filters.parsing import parse
from services.retrieval.lexical import LexicalIndex
from services.retrieval.milvus.expressions import expression
from services.retrieval.milvus.record import SearchedRecord
from services.retrieval.milvus.search import MilvusSearch
from services.retrieval.milvus.sparse import document_vector, query_vector
from services.retrieval.milvus.statistics import CatalogStatistics
from services.retrieval.milvus_client import Engine, LiteEngine, ServerEngine
from services.retrieval.record import RecordError
from services.retrieval.text import lexical_terms
from tests.retrieval.builders import DIMENSION, unit_rows
from tests.retrieval.filtering import meets
from tests.retrieval.shop import COUNT, EMBEDDINGS, PRODUCTS


@dataclass
class Searchable:
    """A searchable generation, and what was put into it."""

    search: MilvusSearch
    statistics: CatalogStatistics


def _nearest(query: np.ndarray[tuple[int, ...], np.dtype[np.float32]], rows: list[int]) -> list[str]:
    """Return the ids of `rows` by brute force, best first."""
    order = np.argsort(-(EMBEDDINGS[rows] @ query), kind="stable")
    return [PRODUCTS[rows[place]].id for place in order]


@pytest.fixture(scope="module", params=["lite", "server"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searchable]:
    engine: Engine = LiteEngine(tmp_path_factory.mktemp("lite") / "catalog.db")
    if request.param == "server":
        engine = ServerEngine(request.getfixturevalue("milvus").uri)
    record = SearchedRecord.open(engine)
    generation = record.create("searched/1", DIMENSION)
    record.upsert(generation, PRODUCTS, EMBEDDINGS)
    statistics = record.statistics(generation)
    yield Searchable(record.search(generation), statistics)
    record.drop(generation)
    record.close()


def test_nearest_products_are_those_of_brute_force(held: Searchable) -> None:
    found = []
    for query in unit_rows(20, seed=5):
        hits = held.search.dense(query, 50)
        found.append(len({*hits.ids} & {*_nearest(query, list(range(COUNT)))[:50]}) / 50)
        assert (np.diff(hits.scores) <= 0).all()
    assert np.mean(found) >= 0.98


@pytest.mark.parametrize(
    "text",
    [
        "price < 30",
        "NOT price >= 30",
        "price != 31",
        "price:* AND -price < 1e300",
        "price > -1e300 AND price < 5.5",
        "rating = 0.7",
        "rating > 3.9 OR rating < 1e-3",
        "rating < 1e300 AND price < 40",
        "review_count > 47.5",
        "review_count = 3 AND rating:*",
        'brand = "ＢＲＡＮＤ 2" AND price < 60',
        'brand != "brand 2" AND price < 20',
        "-brand:*",
        'brand = ""',
        "category:Goods AND price < 12",
        "category:goods/c3 AND price < 100",
        'category = "goods" OR category = "goods/c4" AND price < 50',
        "attributes.color:(black OR 白色) AND availability = out_of_stock AND price < 90",
        "attributes.color != red AND price < 9",
        'attributes."odd \\"key\\" 👕=x" = TWO',
        'attributes."odd \\"key\\" 👕=x" != two',
        "NOT attributes.color:* OR price = 44",
        "create_time = 2026-03-01",
        'create_time > "2026-03-01T11:59:59Z" AND create_time <= 2026-03-01',
        "NOT create_time:* AND price < 10",
        'id = "p/005" OR id = "P/006"',
        'id != "p/005" AND price < 8',
        "group = G12",
        "currency = cny AND price < 7",
    ],
)
def test_expression_of_a_filter_lets_through_what_the_filter_does(held: Searchable, text: str) -> None:
    tree = parse(text)
    assert tree is not None
    scanned = [each for page in held.search.scan(expression(tree)) for each in page]
    assert sorted(scanned) == [each.id for each in PRODUCTS if meets(tree, each)]


def test_filter_is_applied_before_the_best_are_chosen(held: Searchable) -> None:
    query, rows = unit_rows(1, seed=9)[0], list(range(30))
    hits = held.search.dense(query, 20, 'facts["price"] < 30.0 and facts["price"] >= 0.0')
    passing = [row for row in rows if PRODUCTS[row].HasField("price")]
    assert hits.ids == _nearest(query, passing)[:20]
    assert hits.products[0] == PRODUCTS[int(hits.ids[0].removeprefix("p/"))]
    np.testing.assert_allclose(hits.embeddings @ query, hits.scores, rtol=1e-4, atol=1e-6)


def test_words_score_as_in_process(held: Searchable) -> None:
    index = LexicalIndex()
    for row, each in enumerate(PRODUCTS):
        index.put(row, lexical_terms(each))
    terms = analyse("black boots 白色 model x42")
    vector = query_vector(terms, held.statistics.terms)
    if not held.search.has_words:
        with pytest.raises(RecordError, match=r"older than Milvus 2\.4.*search in process"):
            held.search.words(vector, 20)
        return
    scores = index.scores(terms, COUNT)
    hits = held.search.words(vector, 20)
    rows = [int(each.removeprefix("p/")) for each in hits.ids]
    vectors = [document_vector(lexical_terms(PRODUCTS[row])) for row in rows]
    exact = [sum(weight * vector.get(place, 0.0) for place, weight in each.items()) for each in vectors]
    np.testing.assert_allclose(hits.scores, exact, rtol=1e-4)
    assert len({*rows} & {*fusion.best(scores, 20).tolist()}) >= 18
    assert held.search.words_of(vector, hits.ids[:3]) == pytest.approx(
        dict(zip(hits.ids[:3], hits.scores[:3].tolist(), strict=True))
    )
    assert held.search.words(query_vector(["nowhere"], held.statistics.terms), 20).ids == []
