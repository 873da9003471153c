"""What users did, on its way into the durable log, and out of it again."""

import time
from collections.abc import Iterable

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    ForgetUserRequest,
    ForgetUserResponse,
    RecordEventsRequest,
    RecordEventsResponse,
)
from gateway.reviews import Reviews
from gateway.validation import MOST_QUERY_CHARACTERS, check_id, check_optional_id
from runtime.serving.errors import Violations
from runtime.state.events import EventLog

_MOST_EVENTS = 1000
_MOST_REVIEW_CHARACTERS = 10_000
# Clocks differ; but an event of next year would stay the user's latest for a year.
_MOST_SECONDS_AHEAD = 86_400


async def record_events(
    log: EventLog, reviews: Reviews, request: RecordEventsRequest
) -> RecordEventsResponse:
    """Record events and return once they are durable; raises InvalidArgument naming every wrong field."""
    now = time.time_ns()
    check_events(request.events, now // 1_000_000_000)
    for event in request.events:
        if not event.HasField("event_time"):
            event.event_time.FromNanoseconds(now)
    appended = await log.append(request.events)
    if any(event.type == EventType.EVENT_TYPE_REVIEW for event in request.events):
        reviews.look_again()
    return RecordEventsResponse(recorded=appended.recorded, duplicates=appended.duplicates)


async def forget_user(log: EventLog, reviews: Reviews, request: ForgetUserRequest) -> ForgetUserResponse:
    """Forget a user and return once that is durable; raises InvalidArgument without a user."""
    violations = Violations()
    check_id(violations, "user_id", request.user_id)
    violations.raise_if_any()
    forgotten = await log.forget(request.user_id)
    await reviews.refresh()
    return ForgetUserResponse(events=forgotten.events, history_products=forgotten.products)


def check_events(events: Iterable[UserEvent], now_seconds: int) -> None:
    """Raise InvalidArgument unless `events` are 1 to 1,000 events that can be recorded at `now_seconds`."""
    violations = Violations()
    held = list(events)
    if not 1 <= len(held) <= _MOST_EVENTS:
        violations.add("events", f"must hold 1 to {_MOST_EVENTS} events, got {len(held)}")
        violations.raise_if_any()
    for position, event in enumerate(held):
        _check_event(violations, f"events[{position}]", event, now_seconds)
    violations.raise_if_any()


def _check_event(violations: Violations, path: str, event: UserEvent, now_seconds: int) -> None:
    check_id(violations, f"{path}.event_id", event.event_id)
    check_id(violations, f"{path}.user_id", event.user_id)
    check_id(violations, f"{path}.product_id", event.product_id)
    check_optional_id(violations, f"{path}.request_id", event.request_id)
    if event.type == EventType.EVENT_TYPE_UNSPECIFIED or event.type not in EventType.values():
        known = ", ".join(EventType.keys()[1:])
        violations.add(f"{path}.type", f"must be one of {known}, got {event.type}")
    if event.HasField("event_time"):
        _check_time(violations, f"{path}.event_time", event, now_seconds)
    if len(event.query) > MOST_QUERY_CHARACTERS:
        violations.add(
            f"{path}.query", f"must be at most {MOST_QUERY_CHARACTERS} characters, got {len(event.query)}"
        )
    if event.position < 0:
        violations.add(f"{path}.position", f"must be 1 or more, or 0 when unknown, got {event.position}")
    _check_opinion(violations, path, event)


def _check_time(violations: Violations, field: str, event: UserEvent, now_seconds: int) -> None:
    given = event.event_time
    if not 0 <= given.seconds <= now_seconds + _MOST_SECONDS_AHEAD or not 0 <= given.nanos < 1_000_000_000:
        violations.add(field, f"must be from 1970 to at most a day ahead, got {given.seconds} s")


def _check_opinion(violations: Violations, path: str, event: UserEvent) -> None:
    if event.type == EventType.EVENT_TYPE_RATING:
        if not 1 <= event.rating <= 5:  # NaN is refused by this too
            violations.add(f"{path}.rating", f"must be 1 to 5, got {event.rating}")
    elif event.rating:
        violations.add(f"{path}.rating", "must be 0 unless the type is EVENT_TYPE_RATING")
    if event.type == EventType.EVENT_TYPE_REVIEW:
        if not 1 <= len(event.review_text.strip()) <= len(event.review_text) <= _MOST_REVIEW_CHARACTERS:
            violations.add(
                f"{path}.review_text",
                f"must be 1 to {_MOST_REVIEW_CHARACTERS} characters and not blank,"
                f" got {len(event.review_text)}",
            )
    elif event.review_text:
        violations.add(f"{path}.review_text", "must be empty unless the type is EVENT_TYPE_REVIEW")
