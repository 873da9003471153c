"""The figures of a run, from samples that are known."""

import numpy as np
import pytest

from bench import histogram
from bench.calls import Call
from bench.load import Outcome, Plan
from bench.summary import percentile, summarise

_PLAN = Plan(
    np.arange(4.0), [Call("search", "x", "")] * 4, warm_up_seconds=0, measured_seconds=4, deadline_seconds=0.5
)


def test_percentiles_are_measured_samples_at_their_rank() -> None:
    samples = np.random.default_rng(1).permutation(np.arange(1.0, 10_001.0))
    assert [percentile(samples, at) for at in (50, 95, 99, 99.9)] == [5000, 9500, 9900, 9990]
    assert percentile(np.array([3.0, 1.0]), 99.9) == 3


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0])
def test_percentiles_agree_with_numpy_and_so_does_the_histogram(spread: float) -> None:
    seconds = np.random.default_rng(5).lognormal(-4, spread, 7_001)
    at = (50, 95, 99, 99.9)
    expected = np.percentile(seconds, at, method="inverted_cdf")
    assert [percentile(seconds, each) for each in at] == expected.tolist()
    text = histogram.encoded(histogram.of(seconds))
    # Three significant digits and whole microseconds.
    assert histogram.quantiles_ms(text, at) == pytest.approx((1000 * expected).tolist(), rel=2e-3, abs=2e-3)


def test_only_answers_in_time_are_goodput_and_refusals_have_their_own_latency() -> None:
    codes = ["OK", "OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE"]
    outcome = Outcome([0.1, 0.6, 0.004, 0.2], [0.0] * 4, codes, [()] * 4, seconds=4)
    summary = summarise("rate_1", 1, _PLAN, outcome)
    assert (summary.goodput, summary.in_deadline_share) == (1 / 4, 1 / 4)
    assert summary.shed_p99_ms == pytest.approx(4)
    assert summary.errors_p99_ms == pytest.approx(200)


def test_answers_that_lack_a_stage_are_told_apart_from_goodput() -> None:
    degraded = [(), ("DENSE",), ("DENSE", "INTENT"), ("INTENT",)]
    outcome = Outcome([0.1, 0.1, 0.1, 0.6], [0.0] * 4, ["OK"] * 4, degraded, seconds=4)
    summary = summarise("rate_1", 1, _PLAN, outcome)
    assert (summary.goodput, summary.degraded_goodput, summary.in_deadline_share) == (1 / 4, 2 / 4, 3 / 4)
    assert summary.degraded == {"DENSE": 2 / 4, "INTENT": 2 / 4}


def test_answers_after_the_deadline_are_late_and_still_answers() -> None:
    outcome = Outcome(
        [0.1, 0.6, 0.2, 0.7], [0.0] * 4, ["OK", "OK", "OK", "DEADLINE_EXCEEDED"], [()] * 4, seconds=4
    )
    summary = summarise("rate_1", 1, _PLAN, outcome)
    assert summary.late == 1
    assert summary.achieved == 3 / 4
    assert summary.latencies_ms["p50"] == pytest.approx(200)
    assert summary.latencies_ms["max"] == pytest.approx(700)


def test_achieved_rate_counts_the_time_the_last_answers_took() -> None:
    outcome = Outcome([0.1] * 4, [0.0] * 4, ["OK"] * 4, [()] * 4, seconds=8)
    assert summarise("rate_1", 1, _PLAN, outcome).achieved == 0.5


def test_run_without_an_answer_still_has_figures() -> None:
    outcome = Outcome([0.01] * 4, [0.0] * 4, ["UNAVAILABLE"] * 4, [()] * 4, seconds=4)
    summary = summarise("rate_1", 1, _PLAN, outcome)
    assert (summary.achieved, summary.error_share, summary.degraded_share) == (0, 1, 0)
    assert summary.latencies_ms["p50"] == 500


@pytest.mark.parametrize(("lag", "doubtful"), [(0.004, False), (0.006, False), (0.02, True)])
def test_lag_is_doubtful_when_it_is_large_and_a_large_part_of_what_is_measured(
    lag: float, doubtful: bool
) -> None:
    outcome = Outcome([0.1] * 4, [lag] * 4, ["OK"] * 4, [()] * 4, seconds=4)
    assert summarise("rate_1", 1, _PLAN, outcome).doubtful is doubtful


def test_run_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="make the run longer"):
        summarise("rate_1", 1, _PLAN, Outcome())
