"""When requests are due."""

from pathlib import Path

import numpy as np
import pytest

from bench.arrivals import poisson, recorded


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


def test_recorded_arrivals_start_at_zero_and_end_in_time(tmp_path: Path) -> None:
    file = tmp_path / "arrivals.txt"
    file.write_text("100.5\n100.75\n101.5\n107\n", encoding="utf-8")
    assert recorded(file, 2).tolist() == [0, 0.25, 1]


@pytest.mark.parametrize("text", ["", "1\n0.5\n", "soon\n", "nan\n"])
def test_recording_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "arrivals.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"--arrivals .*arrivals\.txt must hold"):
        recorded(file, 2)
