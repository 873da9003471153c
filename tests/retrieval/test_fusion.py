"""Fusing scores and choosing the best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from services.retrieval import fusion

_SCORES = arrays.arrays(np.float32, st.integers(0, 60), elements=st.integers(-20, 20).map(float))


@settings(deadline=None)
@given(_SCORES, st.integers(0, 70))
def test_best_are_the_highest_in_order_and_ties_keep_the_order_of_rows(
    scores: NDArray[np.float32], limit: int
) -> None:
    expected = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:limit]
    assert fusion.best(scores, limit).tolist() == expected


@settings(deadline=None)
@given(_SCORES, st.integers(0, 70), st.integers(-20, 20))
def test_best_above_a_floor_are_the_best_without_the_others(
    scores: NDArray[np.float32], limit: int, floor: int
) -> None:
    expected = [row for row in fusion.best(scores, limit).tolist() if scores[row] > floor]
    assert fusion.best_above(scores, limit, floor).tolist() == expected


@pytest.mark.parametrize("rows", [40_000, 1_000_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 1.0])
def test_best_above_a_floor_of_very_many_are_the_best_however_few_were_found(share: float, rows: int) -> None:
    random = np.random.default_rng(1)
    found = random.random(rows) < share
    scores = (found * random.integers(1, 50, found.size)).astype(np.float32)
    expected = sorted(np.flatnonzero(found).tolist(), key=lambda row: (-scores[row], row))[:300]
    assert fusion.best_above(scores, 300, 0.0).tolist() == expected


@settings(deadline=None)
@given(_SCORES, st.integers(-20, 20))
def test_rank_counts_the_better_ones(scores: NDArray[np.float32], floor: int) -> None:
    rows = np.arange(len(scores))
    expected = [1 + sum(other > mine for other in scores) if mine > floor else 0 for mine in scores]
    assert fusion.ranks(scores, rows, floor).tolist() == expected


def test_standardised_scores_have_mean_0_and_deviation_1() -> None:
    standardised = fusion.standardise(np.array([1, 2, 3, 10], np.float32))
    assert abs(standardised.mean()) < 1e-6
    assert abs(standardised.std() - 1) < 1e-6


def test_scores_all_alike_say_nothing() -> None:
    assert fusion.standardise(np.full(3, 7, np.float32)).tolist() == [0, 0, 0]
    assert fusion.standardise(np.zeros(0, np.float32)).tolist() == []


def test_weight_decides_between_channels() -> None:
    dense, lexical = np.array([0.9, 0.8, 0.1], np.float32), np.array([0, 5, 0], np.float32)
    assert fusion.fuse(dense, lexical, 0.0).argmax() == 0
    assert fusion.fuse(dense, lexical, 1.0).argmax() == 1
