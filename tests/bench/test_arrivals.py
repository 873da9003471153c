"""When requests are due."""

import numpy as np
import pytest

from bench.arrivals import poisson


def test_gaps_are_exponential_at_the_rate_asked_for() -> None:
    instants = poisson(200, 50, seed=1)
    gaps = np.diff(instants)
    assert len(instants) == pytest.approx(10_000, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    # An exponential gap is longer than its mean with probability 1/e.
    assert (gaps > 1 / 200).mean() == pytest.approx(np.exp(-1), abs=0.02)


def test_counts_of_equal_spans_vary_as_poisson_counts_do() -> None:
    counts = np.bincount(poisson(20, 1000, seed=2).astype(int), minlength=1000)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.15)


def test_a_seed_fixes_the_arrivals() -> None:
    assert np.array_equal(poisson(50, 10, seed=1), poisson(50, 10, seed=1))
    assert not np.array_equal(poisson(50, 10, seed=1)[:10], poisson(50, 10, seed=2)[:10])


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (-1, 1), (1, 0)])
def test_a_load_of_nothing_is_refused(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        poisson(rate, seconds, seed=1)
