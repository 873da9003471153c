"""The limit follows latency: simulated calls, and no clock."""

import pytest

from runtime.serving.admission import Door, Gradient2, begin, note_strain


class Server:
    """Serves `parallel` calls at once, each in `seconds`; what is let in beyond them waits in turn."""

    def __init__(self, parallel: int, seconds: float) -> None:
        self.parallel, self.seconds = parallel, seconds

    def latency(self, inflight: int) -> float:
        return self.seconds * max(1.0, inflight / self.parallel)


def drive(limit: Gradient2, server: Server, wanted: int, windows: int) -> None:
    """Offer `wanted` calls at once, window after window."""
    for _ in range(windows):
        inflight = min(wanted, limit.limit)
        limit.update(server.latency(inflight), inflight, refused=wanted > limit.limit)


def test_limit_grows_while_latency_stays() -> None:
    limit = Gradient2(least=4, most=200)
    drive(limit, Server(parallel=1_000, seconds=0.01), wanted=1_000, windows=400)
    assert limit.limit == 200


def test_limit_stays_where_callers_ask_for_less_than_half_of_it() -> None:
    limit = Gradient2(least=4, most=200)
    before = limit.limit
    drive(limit, Server(parallel=1_000, seconds=0.01), wanted=before // 2 - 1, windows=100)
    assert limit.limit == before


@pytest.mark.parametrize("parallel", [2, 8, 40])
def test_overload_settles_at_a_short_queue_and_keeps_the_server_busy(parallel: int) -> None:
    limit, server = Gradient2(least=4, most=256), Server(parallel, seconds=0.01)
    drive(limit, server, wanted=1, windows=50)
    drive(limit, server, wanted=10_000, windows=500)
    # The fixed point of the rule: twice what runs at once, and an allowance of four.
    assert limit.limit == pytest.approx(2 * parallel + 4, abs=1)


def test_overload_that_lasts_is_never_taken_for_normal() -> None:
    limit, server = Gradient2(least=4, most=256), Server(parallel=2, seconds=0.01)
    drive(limit, server, wanted=1, windows=50)
    drive(limit, server, wanted=10_000, windows=20_000)
    assert limit.limit <= 8


def test_process_started_into_an_overload_keeps_its_queue_short() -> None:
    limit, server = Gradient2(least=4, most=256), Server(parallel=2, seconds=0.01)
    drive(limit, server, wanted=10_000, windows=2_000)
    assert 4 <= limit.limit <= 48


def test_slower_server_gets_a_lower_limit_and_a_recovered_one_its_old_one_back() -> None:
    limit, server = Gradient2(least=4, most=256), Server(parallel=20, seconds=0.01)
    drive(limit, server, wanted=1, windows=50)
    drive(limit, server, wanted=1_000, windows=300)
    usual = limit.limit
    server.seconds = 0.05
    drive(limit, server, wanted=1_000, windows=300)
    assert limit.limit < usual / 2 + 4
    server.seconds = 0.01
    drive(limit, server, wanted=1_000, windows=300)
    assert limit.limit == pytest.approx(usual, abs=2)


def test_answers_in_part_lower_the_limit_though_latency_stays() -> None:
    limit, whole_up_to = Gradient2(least=4, most=256), 12
    for _ in range(500):
        strained = max(0.0, 1 - whole_up_to / limit.limit)
        limit.update(0.01, limit.limit, refused=True, strained=strained)
    assert whole_up_to - 2 <= limit.limit <= whole_up_to + 2


def test_strain_is_noted_of_the_call_that_is_served() -> None:
    limit = Gradient2(least=4, most=100)
    door, before = Door("service", "Method", limit), limit.limit
    for number in range(40):
        now = 0.1 * number
        entered = sum(door.enter(now) for _ in range(100))
        for _ in range(entered):
            call = begin()
            note_strain()
            door.leave(now, now + 0.01, counts=True, strained=call.strained)
    assert limit.limit < before / 2


def test_limit_never_leaves_its_bounds() -> None:
    limit = Gradient2(least=6, most=10)
    drive(limit, Server(parallel=1, seconds=0.01), wanted=1, windows=20)
    for latency in (10.0, 0.001):
        for _ in range(100):
            limit.update(latency, limit.limit, refused=False)
            assert 6 <= limit.limit <= 10


def test_door_lets_in_as_many_as_the_limit_says_and_again_when_one_has_left() -> None:
    door = Door("service", "Method", Gradient2(least=2, most=2))
    assert [door.enter(0.0) for _ in range(4)] == [True, True, False, False]
    door.leave(0.0, 0.01, counts=True)
    assert [door.enter(0.02) for _ in range(2)] == [True, False]


def test_calls_that_say_nothing_of_the_load_move_no_limit() -> None:
    limit = Gradient2(least=4, most=100)
    door, before = Door("service", "Method", limit), limit.limit
    for number in range(1_000):
        now = 0.01 * number
        assert door.enter(now)
        door.leave(now, now + 0.001, counts=False)
    assert limit.limit == before


def test_window_is_judged_by_the_most_calls_at_once_in_it() -> None:
    limit = Gradient2(least=4, most=100)
    door, before = Door("service", "Method", limit), limit.limit
    for number in range(20):
        now = 0.1 * number
        for _ in range(limit.limit):
            assert door.enter(now)
        for _ in range(limit.limit):
            door.leave(now, now + 0.01, counts=True)
    assert limit.limit > before
