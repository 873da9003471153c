"""The contract of EventLog and ProfileStore, run against every backend."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from runtime.state.sqlite import SqliteState

CLICK, CART, PURCHASE = (
    EventType.EVENT_TYPE_CLICK,
    EventType.EVENT_TYPE_CART,
    EventType.EVENT_TYPE_PURCHASE,
)
IMPRESSION = EventType.EVENT_TYPE_IMPRESSION

# A cluster's backend is one more line here.
BACKENDS: dict[str, Callable[[Path], SqliteState]] = {"sqlite": lambda root: SqliteState(root / "events.db")}


@pytest.fixture(params=BACKENDS)
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteState]:
    backend = BACKENDS[request.param](tmp_path)
    yield backend
    backend.close()


def event(
    product: str,
    type: "EventType.ValueType" = CLICK,
    seconds: float = 1_700_000_000,
    user: str = "u",
    event_id: str = "",
) -> UserEvent:
    made = UserEvent(event_id=event_id or uuid.uuid4().hex, user_id=user, type=type, product_id=product)
    made.event_time.FromMicroseconds(int(seconds * 1e6))
    return made


async def history(state: SqliteState, user: str = "u") -> list[tuple[str, int, int]]:
    return [(item.product_id, item.type, item.event_seconds) for item in await state.history(user)]


async def test_unknown_user_has_no_history(state: SqliteState) -> None:
    assert await state.history("nobody") == []


async def test_acknowledged_event_is_in_the_next_reading(state: SqliteState) -> None:
    appended = await state.append([event("p", seconds=1_700_000_001.5)])
    assert (appended.recorded, appended.duplicates) == (1, 0)
    assert await history(state) == [("p", CLICK, 1_700_000_001)]


async def test_same_id_is_recorded_once_in_one_batch_and_across_batches(state: SqliteState) -> None:
    first = await state.append([event("p", event_id="e"), event("q", event_id="e")])
    again = await state.append([event("p", PURCHASE, event_id="e"), event("r", event_id="f")])
    assert (first.recorded, first.duplicates) == (1, 1)
    assert (again.recorded, again.duplicates) == (1, 1)
    assert {product for product, _, _ in await history(state)} == {"p", "r"}
    assert ("p", CLICK, 1_700_000_000) in await history(state)


async def test_concurrent_appends_of_one_event_record_it_once(state: SqliteState) -> None:
    appended = await asyncio.gather(*(state.append([event("p", event_id="e")]) for _ in range(50)))
    assert sum(each.recorded for each in appended) == 1
    assert sum(each.duplicates for each in appended) == 49


async def test_impressions_do_not_count(state: SqliteState) -> None:
    await state.append([event("shown", IMPRESSION), event("opened")])
    assert await history(state) == [("opened", CLICK, 1_700_000_000)]


async def test_product_comes_once_with_its_strongest_action_and_latest_time(state: SqliteState) -> None:
    await state.append([event("p", PURCHASE, 100), event("q", CLICK, 200), event("p", CLICK, 300)])
    assert await history(state) == [("p", PURCHASE, 300), ("q", CLICK, 200)]


async def test_event_that_arrives_late_takes_its_place_in_time(state: SqliteState) -> None:
    await state.append([event("new", seconds=300)])
    await state.append([event("old", seconds=100)])
    assert [product for product, _, _ in await history(state)] == ["new", "old"]


async def test_users_are_kept_apart(state: SqliteState) -> None:
    await state.append([event("p", user="a"), event("q", user="b")])
    assert [product for product, _, _ in await history(state, "a")] == ["p"]


async def test_forgotten_user_has_no_history_and_others_keep_theirs(state: SqliteState) -> None:
    await state.append([event("p", event_id="e"), event("q", IMPRESSION), event("p", user="other")])
    forgotten = await state.forget("u")
    assert (forgotten.events, forgotten.products) == (2, 1)
    assert await history(state) == []
    assert [product for product, _, _ in await history(state, "other")] == ["p"]
    again = await state.forget("u")
    assert (again.events, again.products) == (0, 0)


async def test_events_after_forgetting_begin_a_new_history(state: SqliteState) -> None:
    await state.append([event("old", PURCHASE, event_id="e")])
    forgetting = asyncio.ensure_future(state.forget("u"))
    await asyncio.sleep(0)  # it waits before the next append
    appended = await state.append([event("new", event_id="e")])
    await forgetting
    assert appended.recorded == 1  # nothing is left that knew the id
    assert await history(state) == [("new", CLICK, 1_700_000_000)]


async def test_only_the_latest_50_products_are_read(state: SqliteState) -> None:
    await state.append([event(f"p{n}", seconds=1000 + n) for n in range(80)])
    assert [product for product, _, _ in await history(state)] == [f"p{n}" for n in range(79, 29, -1)]


async def test_feedback_lag_is_observed(state: SqliteState) -> None:
    def observed() -> float:
        return REGISTRY.get_sample_value("aisle_feedback_lag_seconds_count") or 0

    before = observed()
    await state.append([event("p")])
    assert observed() == before + 1


actions = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 60).map("p{}".format),
        st.sampled_from(EventType.values()[1:]),
        st.integers(1, 10**6),
    ),
    max_size=150,
)


@settings(max_examples=25, deadline=None)
@given(actions=actions, batch=st.integers(1, 40))
def test_history_is_what_a_plain_reading_of_all_events_gives(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, int, int]], batch: int
) -> None:
    async def compare() -> None:
        state = SqliteState(tmp_path_factory.mktemp("state") / "events.db")
        events = [event(product, type, seconds, user) for user, product, type, seconds in actions]  # type: ignore[arg-type]
        for start in range(0, len(events), batch):
            await state.append(events[start : start + batch])
        for user in "abc":
            read = await history(state, user)
            expected = _plain_history(actions, user)
            assert len(read) == min(50, len(expected))
            assert [seconds for _, _, seconds in read] == sorted(
                (seconds for _, seconds in expected.values()), reverse=True
            )[:50]
            assert all(expected[product] == (type, seconds) for product, type, seconds in read)
        state.close()

    asyncio.run(compare())


def _plain_history(actions: list[tuple[str, str, int, int]], user: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for who, product, type, seconds in actions:
        if who == user and type != IMPRESSION:
            strongest, latest = found.get(product, (0, 0))
            found[product] = max(strongest, type), max(latest, seconds)
    return found
