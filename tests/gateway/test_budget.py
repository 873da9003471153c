"""How the time of a request is divided."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.budget import Budget
from gateway.settings import GatewaySettings

BUDGET = GatewaySettings().budget()
seconds = st.floats(0, 600)
shares = st.floats(0, 1)


def test_far_deadline_leaves_each_stage_its_limit() -> None:
    assert BUDGET.profile(60) == 0.05
    assert BUDGET.intent(60) == BUDGET.ranking(60) == 0.5
    assert BUDGET.retrieval(60) == 1.5


def test_no_deadline_leaves_each_stage_its_limit() -> None:
    assert BUDGET.ranking(math.inf) == 0.5
    assert BUDGET.products(math.inf) == 1.5


def test_less_than_the_reserve_leaves_nothing() -> None:
    for stage in (BUDGET.profile, BUDGET.intent, BUDGET.retrieval, BUDGET.ranking, BUDGET.products):
        assert stage(BUDGET.reserve_seconds / 2) == 0


@given(deadline=seconds, reserve=st.floats(0, 0.1))
def test_stages_that_use_up_their_shares_still_leave_the_reserve(deadline: float, reserve: float) -> None:
    budget = Budget(
        reserve_seconds=reserve,
        profile_seconds=600,
        intent_seconds=600,
        retrieval_seconds=600,
        ranking_seconds=600,
        reranking_seconds=600,
    )
    left = deadline
    left -= budget.profile(left)
    left -= max(budget.intent(left), budget.retrieval(left))
    left -= budget.ranking(left)
    left -= budget.reranking(left)
    left -= budget.products(left)
    assert left >= min(deadline, reserve) - 1e-9


@given(remaining=st.floats(0, 5))
def test_slowest_stages_leave_ranking_and_products_a_tenth_of_the_time(remaining: float) -> None:
    after_profile = remaining - BUDGET.profile(remaining)
    after_retrieval = after_profile - BUDGET.retrieval(after_profile)
    after_ranking = after_retrieval - BUDGET.ranking(after_retrieval)
    assert BUDGET.products(after_ranking) >= 0.1 * (remaining - BUDGET.reserve_seconds) - 1e-9
