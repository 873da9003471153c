"""Whether a difference is told from noise, and settings are measured on queries that did not choose them."""

import numpy as np
import pytest

from training.evaluate.cross_validation import FOLDS, Setting, cross_validate
from training.evaluate.significance import paired


def test_a_small_steady_gain_is_told_from_noise_and_a_large_unsteady_one_is_not() -> None:
    random = np.random.default_rng(1)
    base = random.uniform(0, 1, 80)
    steady = paired((base + 0.02 + random.normal(0, 0.01, 80)).tolist(), base.tolist())
    unsteady = paired((base + 0.02 + random.normal(0, 0.5, 80)).tolist(), base.tolist())
    assert steady.low > 0 and steady.p < 0.001
    assert unsteady.low < 0 < unsteady.high and unsteady.p > 0.05
    assert steady.difference == pytest.approx(steady.value - steady.other)


def test_a_system_is_no_better_than_itself() -> None:
    same = paired([0.2, 0.9, 0.4], [0.2, 0.9, 0.4])
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_pairs_are_needed() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        paired([0.1, 0.2], [0.1])


def test_a_better_setting_is_chosen_by_every_fold() -> None:
    values: dict[Setting, list[float]] = {(0.0,): [0.1] * 20, (1.0,): [0.3] * 20}
    validated = cross_validate(values)
    assert validated.chosen == [(1.0,)] * FOLDS
    assert validated.means == {(0.0,): pytest.approx(0.1), (1.0,): pytest.approx(0.3)}


def test_a_setting_that_one_query_alone_likes_is_not_measured_on_that_query() -> None:
    values: dict[Setting, list[float]] = {(0.0,): [0.1] * 10, (1.0,): [1.0, *[0.05] * 9]}
    validated = cross_validate(values)
    assert max(validated.means, key=lambda setting: validated.means[setting]) == (1.0,)
    assert validated.by_query[0] == (0.0,)
    assert validated.pick(values)[0] == pytest.approx(0.1)
