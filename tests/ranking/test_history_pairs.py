"""How candidates relate to the single products of a history."""

import numpy as np
import pytest

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.user_pb2 import EventType, UserContext
from runtime.serving.errors import InvalidArgument
from services.ranking.columns import read_products
from services.ranking.history_pairs import PAIRS, history_pairs, no_pairs
from services.ranking.settings import RankingSettings
from services.ranking.validation import check
from tests.ranking.builders import NOW, products, rich_request, user

CLICK = EventType.EVENT_TYPE_CLICK


def relations(
    mine: ProductColumns, who: UserContext | None, past: ProductColumns | None, cosines: bytes = b""
) -> dict[str, list[list[int]]]:
    pairs = history_pairs(read_products(mine), who, past, cosines, NOW)
    return {name: pairs[:, place].tolist() for place, name in enumerate(PAIRS)}


def test_relations_by_hand() -> None:
    mine = products(
        2,
        ids=["a", "b"],
        prices=[100, float("nan")],
        brands=["Acme", None],
        categories=["clothing/dress", "shoes/boots"],
        attributes={"color": ["red", "blue"]},
    )
    past = products(
        2,
        ids=["b", "c"],
        prices=[100, 100 * np.e],
        brands=["acme", None],
        categories=["clothing/t-shirt", "shoes/boots"],
        attributes={"color": ["blue", "blue"]},
    )
    cosines = np.array([[127, 0], [-127, 64]], dtype=np.int8).tobytes()
    found = relations(mine, user(("b", CLICK, 0), ("c", CLICK, 90)), past, cosines)
    assert found["present"] == [[1, 1], [1, 1]]
    assert found["strength"] == [[64, 32], [64, 32]]
    assert found["cosine"] == [[254, 0], [127, 191]]
    assert found["same_product"] == [[0, 0], [1, 0]]
    assert found["same_brand"] == [[1, 0], [0, 0]]  # nothing is not a brand
    assert found["same_category"] == [[0, 0], [0, 1]]
    assert found["same_category_root"] == [[1, 0], [0, 1]]
    assert found["same_color"] == [[0, 0], [1, 1]]
    assert found["price_known"] == [[1, 1], [0, 0]]
    assert found["price_gap"][0] == [0, pytest.approx(64, abs=1)]
    assert found["price_gap"][1] == [0, 0]


def test_product_that_no_event_names_is_absent() -> None:
    past = products(2, ids=["b", "c"], brands=["acme", "acme"])
    found = relations(products(1, brands=["acme"]), user(("b", CLICK, 0)), past)
    assert found["present"] == [[1, 0]] and found["same_brand"] == [[1, 0]]


@pytest.mark.parametrize("who", [None, user(("z", CLICK, 0))])
def test_without_a_known_history_there_is_one_absent_product(who: UserContext | None) -> None:
    found = history_pairs(read_products(products(3)), who, None, b"", NOW)
    np.testing.assert_array_equal(found, no_pairs(3))


def test_cosines_of_another_shape_are_refused() -> None:
    request = rich_request(5)
    request.candidates.history_cosines = bytes(14)
    with pytest.raises(InvalidArgument) as refused:
        check(request, RankingSettings().search)
    assert "candidates.history_cosines" in str(refused.value.fields)
