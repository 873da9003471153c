import math

import pytest

from training.evaluate.metrics import interval, mrr_at_10, ndcg_at_10, overlap_at_10, recall_at_100

GAINS = {"e1": 1.0, "e2": 1.0, "s": 0.1, "i": 0.0}


def test_ideal_order_has_ndcg_one_whatever_follows() -> None:
    assert ndcg_at_10(["e2", "e1", "s", "unjudged"], GAINS) == pytest.approx(1.0)


def test_ndcg_counts_what_was_not_retrieved_against_the_ranking() -> None:
    ideal = 1 + 1 / math.log2(3) + 0.1 / math.log2(4)
    assert ndcg_at_10(["unjudged", "e1"], GAINS) == pytest.approx((1 / math.log2(3)) / ideal)


def test_ndcg_reads_ten_places() -> None:
    assert ndcg_at_10([f"x{n}" for n in range(10)] + ["e1"], GAINS) == 0


def test_recall_counts_products_of_full_gain_only() -> None:
    assert recall_at_100(["s", "e1"], GAINS) == 0.5
    assert recall_at_100([f"x{n}" for n in range(100)] + ["e1"], GAINS) == 0


def test_reciprocal_rank_is_of_the_first_full_gain() -> None:
    assert mrr_at_10(["i", "s", "e2", "e1"], GAINS) == pytest.approx(1 / 3)
    assert mrr_at_10(["i"], GAINS) == 0


def test_overlap_compares_sets_of_ten() -> None:
    assert overlap_at_10(["a", "b"], ["b", "c"]) == 0.5
    assert overlap_at_10([], []) == 1


def test_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 1000
    assert interval(few)[0] < 0.5 < interval(few)[1]
    assert interval(many)[1] - interval(many)[0] < interval(few)[1] - interval(few)[0]
    assert interval(few) == interval(few)
