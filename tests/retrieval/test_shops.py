"""One fusion in shops of opposite kinds: where only words find a product, and where only meaning does."""

import numpy as np
import pytest
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.index import CatalogIndex
from tests.retrieval.builders import product

WIDTH = 64
PRODUCTS = 2000
QUERIES = 40
_LETTERS = list("ABCDEFGHJKLMNPQRSTUVWXYZ")

Vectors = NDArray[np.float32]
Shop = tuple[list[Product], Vectors, list[str], Vectors]  # the query in place i is for the product in place i


def _unit(vectors: NDArray[np.float64]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _model_numbers(random: np.random.Generator) -> Shop:
    """Spare parts that differ by their number alone, which an embedding does not know."""
    numbers = [
        f"{''.join(random.choice(_LETTERS, 3))}{value}"
        for value in random.permutation(90_000)[:PRODUCTS] + 10_000
    ]
    products = [product(f"p{row}", f"filter cartridge {number}") for row, number in enumerate(numbers)]
    embeddings = _unit(random.normal(size=(PRODUCTS, WIDTH)) + 3)
    return products, embeddings, numbers[:QUERIES], _unit(random.normal(size=(QUERIES, WIDTH)) + 3)


def _descriptions(random: np.random.Generator) -> Shop:
    """Goods described in words that the queries do not use; each query's own words stand in other goods."""
    words = [f"{''.join(random.choice(_LETTERS, 6))}".lower() for _ in range(400)]
    products = [product(f"p{row}", " ".join(random.choice(words, 12))) for row in range(PRODUCTS)]
    meanings = random.normal(size=(PRODUCTS, WIDTH))
    queries = []
    for row in range(QUERIES):
        foreign = [word for word in random.choice(words, 16) if word not in products[row].title["en"]]
        queries.append(" ".join(foreign[:4]))
    wanted = _unit(meanings[:QUERIES] + 0.7 * random.normal(size=(QUERIES, WIDTH)))
    return products, _unit(meanings), queries, wanted


def _found(shop: Shop, *, by_meaning: bool = True) -> float:
    """The share of queries that find their product among the first ten."""
    products, embeddings, queries, wanted = shop
    index = CatalogIndex(WIDTH)
    index.upsert(products, embeddings)
    hits = [
        f"p{row}"
        in index.search(query, wanted[row] if by_meaning else None, limit=10).candidates.products.ids
        for row, query in enumerate(queries)
    ]
    return float(np.mean(hits))


@pytest.mark.parametrize("seed", range(2))
def test_model_numbers_are_found_though_the_embedding_knows_none(seed: int) -> None:
    shop = _model_numbers(np.random.default_rng(seed))
    assert _found(shop) == _found(shop, by_meaning=False) == 1


@pytest.mark.parametrize("seed", range(2))
def test_descriptions_are_found_though_the_words_mislead(seed: int) -> None:
    shop = _descriptions(np.random.default_rng(seed))
    assert _found(shop, by_meaning=False) < 0.2
    assert _found(shop) >= 0.95
