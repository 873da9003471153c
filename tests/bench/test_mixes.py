"""What a load asks: the law of repetition, the languages and the kinds of calls."""

from collections import Counter

import numpy as np
import pytest

from bench.mixes import Mix, ratio

_ENGLISH = [f"lamp {number}" for number in range(30)]
_CHINESE = [f"台灯 {number}" for number in range(10)]


def test_zipf_repeats_queries_in_proportion_to_their_rank() -> None:
    mix = Mix(_ENGLISH, draw="zipf", exponent=1.0, seed=1)
    counts = Counter(mix.query() for _ in range(40_000))
    shares = np.array([many for _, many in counts.most_common()]) / 40_000
    expected = 1 / np.arange(1, 31)
    assert shares == pytest.approx(expected / expected.sum(), rel=0.15)
    assert "30 distinct, repeated by Zipf's law with exponent 1 (warm)" in mix.repeats


def test_cold_queries_are_distinct_beyond_those_there_are() -> None:
    mix = Mix(_ENGLISH, draw="cold", seed=1)
    asked = [mix.query() for _ in range(2_000)]
    assert len(set(asked)) == 2_000
    assert set(_ENGLISH) <= set(asked)
    assert mix.repeats == "2,000 queries, all distinct (cold)"


def test_a_deck_is_cold_until_it_is_dealt_anew() -> None:
    mix = Mix(_ENGLISH, seed=1)
    for _ in range(30):
        mix.query()
    assert mix.repeats.endswith("(cold)")
    mix.query()
    assert mix.repeats == "31 queries, 30 distinct, repeated (warm)"


def test_languages_are_asked_by_share() -> None:
    mix = Mix(_ENGLISH + _CHINESE, chinese=0.5, seed=1)
    asked = [mix.query() for _ in range(2_000)]
    assert sum("台灯" in query for query in asked) / 2_000 == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match=r"--chinese-share 0\.5 needs"):
        Mix(_ENGLISH, chinese=0.5)


def test_kinds_are_called_by_ratio_and_events_have_users_of_their_own() -> None:
    mix = Mix(_ENGLISH, ratio=ratio("search=8,recommend=1,events=1"), users=20, seed=1)
    calls = mix.calls(5_000)
    counts = Counter(call.kind for call in calls)
    assert counts["search"] / 5_000 == pytest.approx(0.8, abs=0.03)
    assert counts["events"] / 5_000 == pytest.approx(0.1, abs=0.02)
    users = {kind: {call.user for call in calls if call.kind == kind} for kind in counts}
    assert users["search"] == users["recommend"] and not users["search"] & users["events"]
    assert mix.share("search") == 0.8
    assert all(call.user == "" for call in Mix(_ENGLISH, users=0).calls(5))


@pytest.mark.parametrize("wrong", ["", "search", "search=0", "search=nan", "buy=1", "search=1,search=2"])
def test_wrong_ratio_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"--mix|could not convert"):
        ratio(wrong)
