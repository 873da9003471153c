"""Which queries and identifiers are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.validation import check_id, check_optional_id, check_query, check_recent_queries
from runtime.serving.errors import InvalidArgument, Violations


def _problem(check: object, *arguments: object) -> str:
    violations = Violations()
    check(violations, "field", *arguments)  # type: ignore[operator]
    try:
        violations.raise_if_any()
    except InvalidArgument as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "query",
    [
        "T恤 黑色 夏季",
        "black summer t-shirt",
        "黑色 cotton T恤 👕 under ¥100",
        "👨‍👩‍👧",  # a family joined by zero-width joiners
        "🫩",  # newer than this Python's tables
        "a" * 512,
        "黑" * 512,
        "x",
        "٣ قميص",
        "%00 ' OR 1=1 --",
    ],
)
def test_query_a_shopper_may_type_is_taken(query: str) -> None:
    assert _problem(check_query, query) == ""


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "at least one visible character"),
        ("  \u3000 ", "at least one visible character"),
        ("\u200b\u200d", "at least one visible character"),
        ("a" * 513, "at most 512 characters, got 513"),
        ("a" * 1_000_000, "at most 512 characters, got 1000000"),
        ("red\x00shoe", "U+0000 at position 3"),
        ("red\nshoe", "U+000A"),
        ("\t", "U+0009"),
        ("red\x85", "U+0085"),
    ],
)
def test_query_nobody_types_is_refused_with_the_reason(query: str, reason: str) -> None:
    assert reason in _problem(check_query, query)


@given(st.text(max_size=600))
def test_every_text_is_taken_or_refused_without_a_crash(text: str) -> None:
    problem = _problem(check_query, text)
    assert problem == "" or problem.startswith("field: must ")


def test_identifiers_are_measured_in_bytes() -> None:
    assert _problem(check_id, "a" * 128) == ""
    assert "got 129" in _problem(check_id, "黑" * 43)


def test_empty_identifier_is_refused_only_where_one_is_needed() -> None:
    assert "1 to 128 bytes" in _problem(check_id, "")
    assert _problem(check_optional_id, "") == ""


def test_control_character_in_an_identifier_is_refused() -> None:
    assert "U+0007" in _problem(check_optional_id, "user\x07")


def test_recent_queries_are_checked_one_by_one() -> None:
    assert _problem(check_recent_queries, ["red shoe"] * 10) == ""
    assert "at most 10 queries, got 11" in _problem(check_recent_queries, ["x"] * 11)
    assert _problem(check_recent_queries, ["x", " "]).startswith("field[1]: ")
