"""The contract of ReviewStore, run against every backend, and the counts in memory."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.intent.v1.intent_pb2 import AspectMention, ReviewSentiment, Sentiment
from runtime.state.review_counts import ReviewCounts
from runtime.state.reviews import WHOLE, Counts, JudgedReview, Tally, WaitingReview, counts_of
from runtime.state.sqlite import SqliteState
from tests.conftest import REPOSITORY
from tests.runtime.test_events import BACKENDS, event

PRAISE: dict[str, Counts] = {WHOLE: (1, 0, 0), "quality": (2, 0, 0)}
BLAME: dict[str, Counts] = {WHOLE: (0, 0, 1), "delivery": (0, 0, 1)}


@pytest.fixture(params=BACKENDS)
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteState]:
    backend = BACKENDS[request.param](tmp_path)
    yield backend
    backend.close()


def review(product: str, text: str = "很好", user: str = "u", event_id: str = "") -> UserEvent:
    made = event(product, EventType.EVENT_TYPE_REVIEW, user=user, event_id=event_id or uuid.uuid4().hex)
    made.review_text = text
    return made


async def tallies(state: SqliteState) -> dict[tuple[str, str], Counts]:
    found = await state.review_tallies(0)
    return {(each.product_id, each.aspect): each.counts for each in found.changed if any(each.counts)}


async def judge(state: SqliteState, counts: dict[str, Counts], most: int = 1000) -> list[WaitingReview]:
    waiting = await state.waiting_reviews(most)
    await state.settle_reviews([JudgedReview(each.ticket, counts) for each in waiting])
    return waiting


async def test_acknowledged_review_waits_and_other_events_do_not(state: SqliteState) -> None:
    await state.append([review("p", "好"), event("q"), review("r", "bad")])
    waiting = await state.waiting_reviews(10)
    assert [(each.product_id, each.text) for each in waiting] == [("p", "好"), ("r", "bad")]
    assert (await state.review_backlog()).reviews == 2
    assert [each.text for each in await state.waiting_reviews(1)] == ["好"]


async def test_nothing_waits_in_a_new_store(state: SqliteState) -> None:
    backlog, found = await state.review_backlog(), await state.review_tallies(0)
    assert (backlog.reviews, backlog.oldest_seconds) == (0, 0)
    assert (found.changed, found.mark) == ([], 0)


async def test_settled_review_is_counted_and_waits_no_longer(state: SqliteState) -> None:
    await state.append([review("p"), review("p"), review("q")])
    await judge(state, PRAISE, 2)
    await judge(state, BLAME)
    assert await state.waiting_reviews(10) == []
    assert await tallies(state) == {
        ("p", WHOLE): (2, 0, 0),
        ("p", "quality"): (4, 0, 0),
        ("q", WHOLE): (0, 0, 1),
        ("q", "delivery"): (0, 0, 1),
    }


async def test_review_settled_twice_or_recorded_twice_counts_once(state: SqliteState) -> None:
    await state.append([review("p", event_id="e")])
    (waiting,) = await judge(state, PRAISE)
    await state.append([review("p", event_id="e")])
    assert await state.settle_reviews([JudgedReview(waiting.ticket, BLAME)]) == []
    assert await state.waiting_reviews(10) == []
    assert await tallies(state) == {("p", WHOLE): (1, 0, 0), ("p", "quality"): (2, 0, 0)}


async def test_settling_tells_how_long_each_waited(state: SqliteState) -> None:
    await state.append([review("p"), review("p")])
    oldest = (await state.review_backlog()).oldest_seconds
    waited = await state.settle_reviews(
        [JudgedReview(each.ticket, PRAISE) for each in await state.waiting_reviews(2)]
    )
    assert len(waited) == 2 and 0 <= oldest <= 60 and all(0 <= each <= 60 for each in waited)


async def test_unreadable_review_is_settled_and_counts_nothing(state: SqliteState) -> None:
    await state.append([review("p")])
    await judge(state, {})
    assert await state.waiting_reviews(10) == []
    assert await tallies(state) == {}


async def test_only_what_changed_after_a_mark_is_told(state: SqliteState) -> None:
    await state.append([review("p")])
    await judge(state, PRAISE)
    first = await state.review_tallies(0)
    assert (await state.review_tallies(first.mark)).changed == []
    await state.append([review("q")])
    await judge(state, BLAME)
    second = await state.review_tallies(first.mark)
    assert {each.product_id for each in second.changed} == {"q"}
    assert second.mark > first.mark


async def test_forgotten_user_s_reviews_leave_the_tallies_and_others_stay(state: SqliteState) -> None:
    await state.append([review("p", user="u"), review("p", user="other")])
    await judge(state, PRAISE)
    await state.append([review("p", user="u")])  # still waits
    mark = (await state.review_tallies(0)).mark
    forgotten = await state.forget("u")
    assert forgotten.events == 2
    assert await tallies(state) == {("p", WHOLE): (1, 0, 0), ("p", "quality"): (2, 0, 0)}
    assert await state.waiting_reviews(10) == []
    assert {each.aspect for each in (await state.review_tallies(mark)).changed} == {WHOLE, "quality"}
    await state.forget("other")
    assert await tallies(state) == {}


async def test_review_forgotten_while_it_is_judged_does_not_count_for_the_next_one(
    state: SqliteState,
) -> None:
    await state.append([review("p", "first", user="u", event_id="e")])
    (waiting,) = await state.waiting_reviews(1)
    await state.forget("u")
    await state.append([review("q", "second", user="v", event_id="e")])
    assert await state.settle_reviews([JudgedReview(waiting.ticket, PRAISE)]) == []
    assert await tallies(state) == {}
    assert [each.text for each in await state.waiting_reviews(10)] == ["second"]


def test_reviews_of_a_file_without_their_tables_wait_once_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    state = SqliteState(path)
    asyncio.run(_append_and_close(state, [review("p", "old one"), event("q")]))
    with sqlite3.connect(path) as connection:  # as an older program left it
        for name in ("let_review_wait", "drop_review"):
            connection.execute(f"DROP TRIGGER {name}")
        for name in ("waiting_reviews", "judgments", "review_tallies"):
            connection.execute(f"DROP TABLE {name}")
    connection.close()

    async def opened() -> list[str]:
        state = SqliteState(path)
        texts = [each.text for each in await state.waiting_reviews(10)]
        state.close()
        return texts

    assert asyncio.run(opened()) == ["old one"]
    assert asyncio.run(opened()) == ["old one"]


async def _append_and_close(state: SqliteState, events: list[UserEvent]) -> None:
    await state.append(events)
    state.close()


# Records reviews and settles them at once, until it is killed; says how many it recorded.
_JUDGE = """
import asyncio, sys
from pathlib import Path
from runtime.state.reviews import JudgedReview
from runtime.state.sqlite import SqliteState
from tests.runtime.test_reviews import PRAISE, review

async def main():
    state, number = SqliteState(Path(sys.argv[1])), 0
    while True:
        await state.append([review("p", event_id=f"e{n}") for n in range(number, number + 4)])
        number += 4
        print(number, flush=True)
        waiting = await state.waiting_reviews(3)
        await state.settle_reviews([JudgedReview(each.ticket, PRAISE) for each in waiting])

asyncio.run(main())
"""


def test_kill_9_leaves_every_acknowledged_review_counted_or_waiting(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    process = subprocess.Popen(
        [sys.executable, "-c", _JUDGE, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    recorded = 0
    while recorded < 80:
        recorded = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    recorded = max(recorded, *(int(line) for line in rest.splitlines() if line.isdigit()), 0)

    async def finish() -> int:
        state = SqliteState(path)
        while await judge(state, PRAISE, 100):
            pass
        counted = (await tallies(state))["p", WHOLE][0]
        state.close()
        return counted

    counted = asyncio.run(finish())
    with sqlite3.connect(path) as connection:
        events = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    connection.close()
    assert counted == events >= recorded


def test_review_counts_once_as_a_whole_and_once_for_each_clause() -> None:
    clauses = [
        ("quality", "POSITIVE"),
        ("delivery", "NEGATIVE"),
        ("quality", "POSITIVE"),
        ("price", "NEUTRAL"),
    ]
    told = ReviewSentiment(
        sentiment=Sentiment.SENTIMENT_POSITIVE,
        aspects=[
            AspectMention(aspect=aspect, sentiment=Sentiment.Value(f"SENTIMENT_{feeling}"))
            for aspect, feeling in clauses
        ],
    )
    assert counts_of(told) == {
        WHOLE: (1, 0, 0),
        "quality": (2, 0, 0),
        "delivery": (0, 0, 1),
        "price": (0, 1, 0),
    }


def test_columns_have_a_row_for_each_product_asked_for() -> None:
    counts = ReviewCounts()
    counts.put([Tally("a", WHOLE, (3, 1, 0)), Tally("a", "quality", (2, 0, 1)), Tally("b", WHOLE, (0, 0, 1))])
    columns = counts.columns(["x", "b", "a"])
    assert columns is not None
    assert (list(columns.positive), list(columns.neutral), list(columns.negative)) == (
        [0, 0, 3],
        [0, 0, 1],
        [0, 1, 0],
    )
    assert set(columns.aspects) == {"quality"}
    assert list(columns.aspects["quality"].negative) == [0, 0, 1]
    assert counts.columns(["x", "y"]) is None and counts.columns([]) is None


def test_summary_tells_shares_and_aspects_most_often_named_first() -> None:
    counts = ReviewCounts()
    counts.put(
        [Tally("a", WHOLE, (3, 0, 1)), Tally("a", "price", (0, 0, 1)), Tally("a", "quality", (2, 0, 0))]
    )
    told = counts.summary("a")
    assert told is not None
    assert (told.positive, told.negative, told.positive_share, told.negative_share) == (3, 1, 0.75, 0.25)
    assert [(each.aspect, each.positive_share) for each in told.aspects] == [("quality", 1), ("price", 0)]
    counts.put([Tally("a", WHOLE, (0, 0, 0))])
    assert counts.summary("a") is None and counts.summary("unknown") is None


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3000).map("p{}".format), st.sampled_from([WHOLE, *"abcdefghijkl"])),
        st.tuples(*[st.integers(0, 1000)] * 3),
        max_size=60,
    )
)
def test_counts_in_memory_are_those_that_were_put(held: dict[tuple[str, str], Counts]) -> None:
    counts = ReviewCounts()
    counts.put(Tally(product, aspect, each) for (product, aspect), each in held.items())
    ids = sorted({product for product, _ in held})
    columns = counts.columns(ids)
    for row, product in enumerate(ids):
        for aspect in {aspect for _, aspect in held}:
            assert columns is not None
            part = columns if aspect == WHOLE else columns.aspects.get(aspect, None)
            told = (part.positive[row], part.neutral[row], part.negative[row]) if part else (0, 0, 0)
            assert told == held.get((product, aspect), (0, 0, 0))
