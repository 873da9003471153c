"""Next baskets: what is held out, what each model scores, and recall by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from training.evaluate.recommend.baskets.boosted import boosted
from training.evaluate.recommend.baskets.evaluation import evaluate, recalls
from training.evaluate.recommend.baskets.models import Past, likeness, neighbours, popular, repeated
from training.evaluate.recommend.baskets.purchases import NextBaskets, Purchases, next_baskets, read

Row = tuple[int, int, int, int]  # household, basket, product, week


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write transactions laid out like the package's."""
    household, basket, product, week = zip(*rows, strict=True)
    moments = [
        datetime(2017, 1, 1) + timedelta(weeks=each, minutes=b) for each, b in zip(week, basket, strict=True)
    ]
    columns: Mapping[str, object] = {
        "household_id": household,
        "basket_id": basket,
        "product_id": product,
        "week": week,
        "transaction_timestamp": pa.array(moments, pa.timestamp("ns")),
    }
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Purchases:
    """Household 10 buys 1 every week and 2 at first; 20 buys 1 and 3; 30 comes only in week 5."""
    rows = [(10, 100 + week, 1, week) for week in range(1, 6)]
    rows += [(10, 101, 2, 1), (10, 101, 2, 1), (10, 105, 3, 5), (10, 106, 2, 6)]
    rows += [(20, 200 + week, 1 + 2 * (week % 2), week) for week in range(1, 5)]
    rows += [(30, 305, 1, 5)]
    return read(write(tmp_path / "transactions.parquet", rows))


def test_each_product_of_a_basket_counts_once_and_the_first_basket_is_asked(shop: Purchases) -> None:
    assert shop.households == 3 and shop.products == 3
    assert len(shop.product) == 13
    asked = next_baskets(shop, week=5, weeks=2)
    assert asked.households.tolist() == [0]
    assert [each.tolist() for each in asked.bought] == [[0, 2]]


def test_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    parquet.write_table(pa.table({"household_id": [1]}), path)
    with pytest.raises(ValueError, match="no column basket_id, product_id, week, transaction_timestamp"):
        read(path)


def test_scores_by_hand(shop: Purchases) -> None:
    past, first = Past(shop.before(5), 5), np.array([0])
    assert popular(past)(first)[0].tolist() == pytest.approx([1, 1 / 6, 1 / 3])
    assert repeated(past)(first)[0].tolist() == pytest.approx([4, 1, 0], abs=2e-3)
    recent = 0.5 + 0.25 + 0.125 + 0.0625
    assert repeated(past, 1.0)(first)[0].tolist() == pytest.approx([recent, 0.0625, 0], abs=2e-3)


def test_neighbours_bring_what_the_household_never_bought(shop: Purchases) -> None:
    past, first = Past(shop.before(5), 5), np.array([0])
    assert likeness(past.matrix())(first).toarray()[0].tolist() == pytest.approx([0, 1, 0])
    own, alike = repeated(past, 13.0)(first)[0], neighbours(past, 13.0, 0.5)(first)[0]
    assert own[2] < 1e-3 < alike[2] and alike[0] > own[0]


def test_recall_is_the_share_of_each_basket(shop: Purchases) -> None:
    asked = NextBaskets(5, np.array([0, 1]), [np.array([0, 2]), np.array([1])])
    assert recalls(popular(Past(shop.before(5), 5)), asked, cut=2).tolist() == [1.0, 0.0]


def test_trees_learn_what_is_bought_again_and_all_is_measured(tmp_path: Path) -> None:
    """Households buy their own staple every week and one of fifty other things once."""
    random = np.random.default_rng(5)
    rows = [
        (household, 1_000 * household + week, product, week)
        for household in range(60)
        for week in range(1, 21)
        for product in (household % 30, 30 + int(random.integers(50)))
    ]
    path = write(tmp_path / "transactions.parquet", rows)
    shop = read(path)
    before, past = Past(shop.before(13), 13), Past(shop.before(17), 17)
    trees = boosted([(before, next_baskets(shop, 13, 4))], past, seed=1)
    assert recalls(trees, next_baskets(shop, 17, 4), cut=1).mean() == pytest.approx(0.5, abs=0.05)
    measured, chosen = evaluate(path)
    assert (
        measured["complete_journey/repeat/recall@20"].value
        > measured["complete_journey/popularity/recall@20"].value
    )
    assert {name.split("/")[1] for name in measured} == {
        "popularity",
        "repeat",
        "repeat_recent",
        "neighbours",
        "boosted",
    }
    assert set(chosen) == {
        f"complete_journey/{key}" for key in ("half_life", "neighbours_half_life", "neighbours_weight")
    }
