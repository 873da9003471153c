"""The order of the first places: diversity, caps, exploration, and what rules fix."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.arrangement_pb2 import Move, MoveKind
from aisle.catalog.v1.columns_pb2 import ProductColumns
from services.ranking.arrangement.arranging import Arranged, Orders, arrange
from services.ranking.arrangement.policy import Arrangement, Caps, Diversity, Exploration
from services.ranking.columns import read_products
from tests.ranking.builders import NOW, products

PLAIN = Arrangement()


def arranged(
    columns: ProductColumns,
    arrangement: Arrangement,
    orders: Orders = Orders(),  # noqa: B008
    scores: Sequence[float] | None = None,
    request_id: str = "r",
) -> Arranged:
    n = len(columns.ids)
    falling = np.arange(n, 0, -1) / 10.0 if scores is None else np.array(scores, dtype=np.float64)
    return arrange(
        falling, falling, read_products(columns), arrangement, orders, request_id=request_id, now_seconds=NOW
    )


def kinds(found: Arranged) -> dict[int, list["MoveKind.ValueType"]]:
    return {row: [move.kind for move in moves] for row, moves in found.moves.items()}


def test_without_any_policy_the_scores_decide() -> None:
    found = arranged(products(5), PLAIN, scores=[1, 5, 3, 4, 2])
    assert found.rows.tolist() == [1, 3, 2, 4, 0]
    assert not found.moves


def test_diversity_moves_another_category_before_an_almost_equal_repetition() -> None:
    columns = products(6, categories=["a/x"] * 5 + ["b/y"])
    found = arranged(columns, Arrangement(diversity=Diversity(strength=1.0)), scores=[1, 1, 1, 1, 1, 0.9])
    assert found.rows.tolist() == [0, 5, 1, 2, 3, 4]
    assert found.moves[5] == [Move(kind=MoveKind.MOVE_KIND_DIVERSITY, from_position=6, to_position=2)]


def test_diversity_never_outweighs_a_far_better_score() -> None:
    columns = products(4, categories=["a/x"] * 3 + ["b/y"])
    found = arranged(columns, Arrangement(diversity=Diversity(strength=0.3)), scores=[9, 8, 7, 0])
    assert found.rows.tolist() == [0, 1, 2, 3]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.floats(0.1, 3.0))
def test_greedy_choice_is_that_of_the_determinants(categories: list[str], strength: float) -> None:
    n = len(categories)
    diversity = Diversity(strength=strength, category=0.6, root=0, brand=0, color=0)
    scores = np.linspace(1, 0.5, n)
    found = arranged(
        products(n, categories=categories), Arrangement(diversity=diversity), scores=scores.tolist()
    )
    same = np.array([[a == b for a in categories] for b in categories])
    likeness = np.where(np.eye(n) == 1, 1.0, 0.6 * same)
    chosen: list[int] = []
    for _ in range(n):
        gains = {
            row: scores[row]
            + strength * np.linalg.slogdet(likeness[np.ix_([*chosen, row], [*chosen, row])])[1]
            for row in range(n)
            if row not in chosen
        }
        best = max(gains.values())
        chosen.append(next(row for row in found.rows.tolist() if row not in chosen))
        assert gains[chosen[-1]] == pytest.approx(best, abs=1e-9)


def test_brand_cap_sends_the_rest_of_a_brand_behind_the_first_places() -> None:
    columns = products(8, brands=["acme"] * 5 + ["north", None, None])
    found = arranged(columns, Arrangement(places=5, caps=Caps(brand=2)))
    assert found.rows.tolist() == [0, 1, 5, 6, 7, 2, 3, 4]
    assert kinds(found)[2] == [MoveKind.MOVE_KIND_BRAND_CAP]
    assert kinds(found)[5] == [MoveKind.MOVE_KIND_BRAND_CAP]


def test_seller_cap_reads_the_sellers_attribute() -> None:
    columns = products(4, attributes={"shop": ["s", "s", "t", None]})
    caps = Caps(seller=1, seller_attribute="shop")
    assert arranged(columns, Arrangement(places=3, caps=caps)).rows.tolist() == [0, 2, 3, 1]


def test_variants_beyond_the_cap_come_behind() -> None:
    columns = products(4, groups=["g", "g", None, None])
    found = arranged(columns, Arrangement(places=3, caps=Caps(variants=1)))
    assert found.rows.tolist() == [0, 2, 3, 1]
    assert kinds(found)[1] == [MoveKind.MOVE_KIND_VARIANT_CAP]


def test_cap_gives_way_when_nothing_else_is_left() -> None:
    columns = products(3, brands=["acme"] * 3)
    assert arranged(columns, Arrangement(caps=Caps(brand=1))).rows.tolist() == [0, 1, 2]


NEW_GOODS = products(
    60, ages_days=[400.0] * 50 + [3.0] * 10, review_counts=[100] * 50 + [0] * 9 + [80], available=[True] * 60
)


def test_exploration_gives_places_to_new_products_and_names_them() -> None:
    found = arranged(NEW_GOODS, Arrangement(exploration=Exploration(share=0.2)))
    first = found.rows[:20].tolist()
    explored = [row for row in first if row >= 50]
    assert len(explored) in (4, 5)  # a fifth of 20 places, rounded by chance
    assert 59 not in explored  # it is reviewed: known already
    assert first[:3] == [0, 1, 2]
    assert all(kinds(found)[row] == [MoveKind.MOVE_KIND_EXPLORATION] for row in explored)


def test_exploration_is_drawn_from_the_request_id() -> None:
    explored = {
        request: tuple(
            arranged(NEW_GOODS, Arrangement(exploration=Exploration(share=0.2)), request_id=request).rows
        )
        for request in ("a", "b", "c", "a")
    }
    again = arranged(NEW_GOODS, Arrangement(exploration=Exploration(share=0.2)), request_id="a").rows
    assert explored["a"] == tuple(again)
    assert len(set(explored.values())) == 3


def test_share_of_exploration_holds_on_average() -> None:
    policy = Arrangement(exploration=Exploration(share=0.03))  # .6 places
    counts = [int((arranged(NEW_GOODS, policy, request_id=f"{n}").rows[:20] >= 50).sum()) for n in range(300)]
    assert np.mean(counts) == pytest.approx(0.6, abs=0.1)


def test_pin_stands_at_its_place_whatever_diversity_and_caps_wish() -> None:
    columns = products(6, brands=["acme"] * 6, categories=["a/x"] * 6)
    policy = Arrangement(diversity=Diversity(strength=2.0), caps=Caps(brand=1))
    found = arranged(columns, policy, Orders(pins={1: (5, "sale")}))
    assert found.rows[1] == 5
    assert found.moves[5] == [Move(kind=MoveKind.MOVE_KIND_PIN, rule="sale", from_position=6, to_position=2)]


def test_hidden_rows_are_left_out_and_a_boost_is_told_with_what_it_added() -> None:
    boost = Move(kind=MoveKind.MOVE_KIND_BOOST, rule="push", score_change=1.0)
    found = arranged(products(4), PLAIN, Orders(hidden=frozenset({0}), changes={3: (boost,)}))
    assert found.rows.tolist() == [3, 1, 2]
    assert found.moves[3] == [
        Move(kind=MoveKind.MOVE_KIND_BOOST, rule="push", from_position=3, to_position=1, score_change=1.0)
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 5))
def test_every_row_that_is_not_hidden_stands_once(n: int, brand: int) -> None:
    rng = np.random.default_rng(n * 7 + brand)
    columns = products(
        n,
        brands=rng.choice(["a", "b", "c"], n).tolist(),
        categories=rng.choice(["x/1", "x/2", "y/1"], n).tolist(),
        ages_days=rng.uniform(0, 60, n).tolist(),
        groups=rng.choice(["g", "h"], n).tolist(),
    )
    policy = Arrangement(
        diversity=Diversity(strength=0.7),
        caps=Caps(brand=brand, variants=2),
        exploration=Exploration(share=0.3),
    )
    hidden = frozenset(np.flatnonzero(rng.random(n) < 0.2).tolist())
    found = arranged(columns, policy, Orders(hidden=hidden), rng.normal(size=n).tolist())
    assert sorted(found.rows.tolist()) == sorted(set(range(n)) - hidden)
