"""Recommending to a user: fusing the channels, new products, and the choice."""

import numpy as np
import pytest

from services.retrieval import fusion
from services.retrieval.answer import Channel
from services.retrieval.index import CatalogIndex
from services.retrieval.recommendation import FRESH_FLOOR, choose, fresh_channel, fuse
from tests.retrieval.builders import DIMENSION, product, unit_rows

DAY, NOW = 86_400, 1_800_000_000


def scores(*values: float) -> fusion.Scores:
    return np.array(values, np.float32)


def test_channels_are_standardised_before_they_are_weighed() -> None:
    dense, popular = Channel("dense", scores(1, 2, 3)), Channel("popular", scores(300, 100, 200))
    fused = fuse([popular, dense], {"dense": 1.0, "popular": 0.5})
    expected = fusion.standardise(dense.scores) + 0.5 * fusion.standardise(popular.scores)
    np.testing.assert_allclose(fused, expected, atol=1e-6)


def test_product_unknown_to_a_channel_counts_as_average_there() -> None:
    known = Channel("collaborative", scores(1, -np.inf, 3, 2))
    np.testing.assert_allclose(fuse([known], {"collaborative": 2.0})[[1, 3]], 0, atol=1e-6)
    assert fuse([Channel("dense", scores(1, 2, 3, 4)), known]).argmax() == 2


def test_channel_without_a_weight_counts_nothing() -> None:
    dense, fresh = Channel("dense", scores(1, 2)), Channel("fresh", scores(9, 0))
    np.testing.assert_array_equal(fuse([dense, fresh]), fuse([dense]))


def test_freshness_halves_every_thirty_days() -> None:
    created = np.array([NOW, NOW - 30 * DAY, NOW - 60 * DAY, NOW + 5 * DAY, 0])
    fresh = fresh_channel(created, NOW)
    np.testing.assert_allclose(fresh.scores, [1, 0.5, 0.25, 1, 0], atol=1e-6)
    assert (fresh.scores > fresh.floor).tolist() == [True, False, False, True, False]


def test_a_tenth_of_the_chosen_is_new_and_the_best_come_first() -> None:
    fused = np.arange(100, 0, -1).astype(np.float32)
    new = Channel("fresh", np.where(np.arange(100) >= 90, 1.0, 0.0).astype(np.float32), floor=FRESH_FLOOR)
    rows = choose(np.arange(100), fused, new, 20)
    assert rows.tolist() == [*range(18), 90, 91]


def test_new_products_among_the_best_fill_the_share_kept_for_them() -> None:
    fused = np.arange(100, 0, -1).astype(np.float32)
    new = Channel("fresh", np.where(np.arange(100) % 5 == 4, 1.0, 0.0).astype(np.float32), floor=FRESH_FLOOR)
    assert choose(np.arange(100), fused, new, 20).tolist() == list(range(20))


@pytest.mark.parametrize("limit", [0, 1, 9, 10, 50])
def test_no_more_than_asked_for_and_only_what_is_allowed(limit: int) -> None:
    new = Channel("fresh", np.ones(40, np.float32), floor=FRESH_FLOOR)
    allowed = np.arange(0, 40, 2)
    rows = choose(allowed, np.zeros(40, np.float32), new, limit)
    assert len(rows) == min(limit, 20) and set(rows.tolist()) <= set(allowed.tolist())
    assert len(set(rows.tolist())) == len(rows)


def _stocked(new_ones: int) -> CatalogIndex:
    """A hundred popular old products and a few new ones that nobody has rated."""
    index = CatalogIndex(DIMENSION)
    old = [product(f"old{n}", rating=4.5, review_count=100 + n) for n in range(100)]
    new = [product(f"new{n}") for n in range(new_ones)]
    for each in old:
        each.create_time.seconds = NOW - 400 * DAY
    for each in new:
        each.create_time.seconds = NOW - DAY
    index.upsert([*old, *new], unit_rows(len(old) + len(new)))
    return index


@pytest.mark.parametrize("history", [[], ["old3", "old7"]])
def test_new_product_that_nobody_has_rated_is_found(history: list[str]) -> None:
    found = _stocked(1).for_user(history, 20, now=NOW).candidates
    assert "new0" in found.products.ids
    assert list(found.fused_scores) == sorted(found.fused_scores, reverse=True)
    fresh = next(column for column in found.channels if column.channel == "fresh")
    place = list(found.products.ids).index("new0")
    assert fresh.ranks[place] == 1 and fresh.scores[place] > 0.9
    assert sum(fresh.ranks) == 1 and sum(score > 0 for score in fresh.scores) == 1


def test_catalogue_without_new_products_is_recommended_as_before() -> None:
    found = _stocked(0).for_user([], 20, now=NOW).candidates
    assert list(found.products.ids) == [f"old{n}" for n in range(99, 79, -1)]
