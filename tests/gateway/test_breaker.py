"""When a silent service is asked again."""

from gateway.breaker import Breaker


def _silent(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.stayed_silent(now)


def test_few_silences_change_nothing() -> None:
    breaker = Breaker()
    _silent(breaker, 4)
    assert breaker.allows(0.0)


def test_silences_in_a_row_stop_the_calls() -> None:
    breaker = Breaker()
    _silent(breaker, 5)
    assert not breaker.allows(0.5)


def test_answer_between_silences_starts_the_count_anew() -> None:
    breaker = Breaker()
    _silent(breaker, 4)
    breaker.answered()
    _silent(breaker, 4)
    assert breaker.allows(0.0)


def test_one_call_goes_through_after_each_pause() -> None:
    breaker = Breaker()
    _silent(breaker, 5)
    assert [breaker.allows(now) for now in (0.9, 1.0, 1.1, 1.9, 2.1)] == [False, True, False, False, True]


def test_answer_to_the_trial_lets_everything_through() -> None:
    breaker = Breaker()
    _silent(breaker, 5)
    assert breaker.allows(1.0)
    breaker.answered()
    assert breaker.allows(1.0) and breaker.allows(1.0)
