"""What the best products say of the others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import feedback
from services.retrieval.index import CatalogIndex
from services.retrieval.scoring import Weights
from services.retrieval.vectors import VectorIndex
from tests.retrieval.builders import DIMENSION, product, towards, unit_rows


def test_a_product_that_stands_out_decides_alone_and_equals_share() -> None:
    best, mean = np.stack([towards(0), towards(1)]), np.zeros(DIMENSION, np.float32)
    alone = feedback.direction(best, np.array([30, 0], np.float32), mean)
    shared = feedback.direction(best, np.array([2, 2], np.float32), mean)
    assert np.allclose(alone, towards(0), atol=1e-6)
    assert np.allclose(shared, (towards(0) + towards(1)) / 2)


def test_what_all_products_have_in_common_is_left_out() -> None:
    common = towards(3)
    away = feedback.direction((towards(0) + common)[None], np.ones(1, np.float32), common)
    assert np.allclose(away, towards(0))


def test_products_like_the_best_rise_above_those_as_near_to_the_query() -> None:
    """Ten lamps lie on one side of the query; a kettle is as near to it as the last lamp, but alone."""
    products = [product(f"lamp{number}", "lamp") for number in range(10)]
    products += [product("kettle", "kettle"), *(product(f"other{number}", "other") for number in range(30))]
    lamps = [_unit(towards(0) + (0.1 + 0.02 * number) * towards(1)) for number in range(10)]
    kettle = _unit(towards(0) - 0.27 * towards(1))
    embeddings = np.stack([*lamps, kettle, *unit_rows(30, seed=3)])
    orders = {weight: _order(products, embeddings, weight) for weight in (0.0, feedback.WEIGHT)}
    assert orders[0.0].index("kettle") < orders[0.0].index("lamp9")
    assert orders[feedback.WEIGHT].index("lamp9") < orders[feedback.WEIGHT].index("kettle")


def test_the_mean_follows_every_change() -> None:
    rows, vectors = unit_rows(4), VectorIndex(DIMENSION)
    for row in range(4):
        vectors.put(row, rows[row])
    vectors.put(2, towards(5))
    vectors.put(0, rows[3])
    vectors.remove(3)
    left = np.stack([rows[3], rows[1], towards(5)])
    assert np.allclose(vectors.mean(), left.mean(axis=0), atol=1e-6)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / np.float32(np.linalg.norm(vector))


def _order(products: Sequence[Product], embeddings: NDArray[np.float32], weight: float) -> list[str]:
    index = CatalogIndex(DIMENSION, Weights(feedback=weight))
    index.upsert(products, embeddings)
    return list(index.search("something bright", towards(0)).candidates.products.ids)
