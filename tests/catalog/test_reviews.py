"""Loading reviews in bulk through a gateway that keeps events in memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import RecordEventsRequest, RecordEventsResponse
from catalog.__main__ import main
from runtime.serving.errors import Unavailable
from tests.catalog.failing_gateway import FailingGateway, serving


class Gateway(FailingGateway):
    """Keeps events by id."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, UserEvent] = {}

    def RecordEvents(self, request: RecordEventsRequest, context: Any) -> RecordEventsResponse:
        ids = [event.event_id for event in request.events]
        self.fail_if_told(context, ids, "events[{}].event_time", "must be at most a day ahead")
        fresh = [event for event in request.events if event.event_id not in self.events]
        self.events |= {event.event_id: event for event in fresh}
        return RecordEventsResponse(recorded=len(fresh), duplicates=len(request.events) - len(fresh))


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, str]]:
    with serving(Gateway()) as served:
        yield served


def _reviews(tmp_path: Path, count: int = 25, **more: Any) -> Path:
    path = tmp_path / "reviews.jsonl"
    rows = [
        {"id": f"r{n}", "product_id": f"p{n % 3}", "text": f"很好 {n}", "event_seconds": 1_700_000_000 + n}
        | more
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _load(address: str, path: Path, *more: str) -> int:
    return main(["load-reviews", str(path), "--gateway", address, "--batch", "10", *more])


def test_reviews_arrive_as_events_known_by_their_ids(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    assert _load(address, _reviews(tmp_path)) == 0
    assert "25 reviews recorded, to be judged in the background, 0 rows skipped" in capsys.readouterr().out
    assert len(servicer.events) == 25
    event = servicer.events["review:r4"]
    assert (event.type, event.product_id, event.review_text) == (
        EventType.EVENT_TYPE_REVIEW,
        "p1",
        "很好 4",
    )
    assert (event.user_id, event.event_time.seconds) == ("review:r4", 1_700_000_004)


def test_loading_again_records_nothing_twice(gateway: tuple[Gateway, str], tmp_path: Path) -> None:
    servicer, address = gateway
    path = _reviews(tmp_path)
    assert _load(address, path) == 0 and _load(address, path) == 0
    assert len(servicer.events) == 25 and servicer.calls == 6


def test_interrupted_load_goes_on_after_what_was_acknowledged(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    path, state = _reviews(tmp_path), tmp_path / "reviews.json"
    servicer.broken_call = 2
    assert _load(address, path, "--state", str(state)) == 1
    assert "INTERNAL" in capsys.readouterr().err and len(servicer.events) == 10
    assert _load(address, path, "--state", str(state)) == 0
    assert "went on after line 10" in capsys.readouterr().out
    assert len(servicer.events) == 25


def test_finished_load_is_not_repeated_unless_the_gateway_lost_it(
    gateway: tuple[Gateway, str], tmp_path: Path
) -> None:
    servicer, address = gateway
    path, state = _reviews(tmp_path), tmp_path / "reviews.json"
    assert _load(address, path, "--state", str(state)) == 0
    calls = servicer.calls
    assert _load(address, path, "--state", str(state)) == 0
    assert servicer.calls == calls + 1  # it asked whether the last one is known
    servicer.events.clear()
    assert _load(address, path, "--state", str(state)) == 0
    assert len(servicer.events) == 25


def test_bad_rows_are_told_and_the_others_arrive(
    gateway: tuple[Gateway, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer, address = gateway
    path = _reviews(tmp_path, 3)
    rows = [
        {"id": "r1", "product_id": "p", "text": "again"},
        {"id": "", "product_id": "p", "text": "x"},
        {"id": "a", "product_id": "p", "text": " "},
        {"id": "b", "product_id": "p", "text": "long" * 2501},
        {"id": "c", "product_id": "p", "text": "x", "event_seconds": "yesterday"},
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.write("not json\n")
    servicer.refuse = "review:r2"
    rejects = tmp_path / "rejects.jsonl"
    assert _load(address, path, "--rejects", str(rejects)) == 0
    assert set(servicer.events) == {"review:r0", "review:r1"}
    told = {each["line"]: each["reason"] for each in map(json.loads, rejects.read_text().splitlines())}
    assert told[4] == "id 'r1' was on line 2 already"
    assert told[5] == "column 'id' must be 1 to 121 bytes, got 0"
    assert told[6] == "column 'text' must be filled"
    assert told[7] == "column 'text' must be at most 10000 characters, got 10004"
    assert "is no time" in told[8] and "is not JSON" in told[9]
    assert told[3] == "events[2].event_time: must be at most a day ahead"


def test_columns_are_named_by_a_mapping(gateway: tuple[Gateway, str], tmp_path: Path) -> None:
    servicer, address = gateway
    path, mapping = tmp_path / "reviews.csv", tmp_path / "mapping.yaml"
    path.write_text("nr,sku,who,said,when\n1,p9,ann,Great,2026-03-01\n", encoding="utf-8")
    mapping.write_text("{id: nr, product: sku, user: who, text: said, time: when}")
    assert _load(address, path, "--mapping", str(mapping)) == 0
    event = servicer.events["review:1"]
    assert (event.user_id, event.product_id, event.review_text) == ("ann", "p9", "Great")
    assert event.event_time.ToJsonString() == "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("content", "mapping", "said"),
    [
        ("nr,sku\n1,p\n", "", "has no column id, product_id, text; its columns are nr, sku"),
        ("", "{sku: a}", "sku: Extra inputs are not permitted"),
        (None, "", "there is no file of reviews at"),
    ],
)
def test_what_cannot_be_read_at_all_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, mapping: str, said: str
) -> None:
    path, given = tmp_path / "reviews.csv", tmp_path / "mapping.yaml"
    if content is not None:
        path.write_text(content)
    given.write_text(mapping)
    with serving(Gateway()) as (_, address):
        assert _load(address, path, "--mapping", str(given)) == 1
    assert said in capsys.readouterr().err


def test_passing_refusals_are_waited_out(gateway: tuple[Gateway, str], tmp_path: Path) -> None:
    servicer, address = gateway
    servicer.failures = [Unavailable("restarting", 0.01)]
    assert _load(address, _reviews(tmp_path)) == 0
    assert len(servicer.events) == 25
