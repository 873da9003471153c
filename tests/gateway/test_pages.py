"""Page tokens: what they carry, and what they refuse."""

import re
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aisle.catalog.v1.matches_pb2 import Count
from gateway.pages import Page, read_page
from gateway.pins import MOST_PINNED, Pinned, unpack
from runtime.serving.errors import InvalidArgument, Violations

fields = st.tuples(st.text(max_size=40), st.text(max_size=40))
sizes = st.integers(1, 100)
_visible = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "So"]), min_size=1, max_size=30)
_numbers = st.integers(0, 2**31 - 1)
_counts = st.builds(Count, value=_numbers, lower=_numbers, upper=_numbers, exact=st.booleans())
rests = st.builds(
    lambda rows, total, collapsed: Pinned(
        [each for each, _, _ in rows],
        [score for _, score, _ in rows],
        total,
        [variants for _, _, variants in rows] if collapsed else [],
    ),
    st.lists(st.tuples(_visible, st.floats(width=32, allow_nan=False), _numbers), min_size=1, max_size=20),
    st.none() | _counts.filter(lambda count: count.ByteSize() > 0),
    st.booleans(),
)
REST = Pinned(["a", "b"], [1.0, 0.5], Count(value=7, lower=7, upper=7, exact=True), [])


def _read(size: int, token: str, *request: str) -> Page:
    violations = Violations()
    page = read_page(violations, size, token, *request)
    violations.raise_if_any()
    return page


def _refused(size: int, token: str, *request: str) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        _read(size, token, *request)
    return list(caught.value.fields)


@given(size=sizes, rest=rests, request=fields)
def test_token_brings_the_rest_of_its_answer_to_its_request(
    size: int, rest: Pinned, request: tuple[str, str]
) -> None:
    token = _read(size, "", *request).token(rest)
    assert re.fullmatch(r"[\w-]+", token)
    assert _read(size, token, *request) == Page(size, request, rest)


def test_nothing_left_is_no_token() -> None:
    assert _read(10, "", "q").token(REST.after(2)) == ""


def test_token_of_a_usual_answer_fits_an_address() -> None:
    rest = Pinned([f"B0{n * 7919 % 10**8:08d}" for n in range(190)], [1 / (n + 1) for n in range(190)])
    assert len(_read(10, "", "q").token(rest)) < 2500


def test_longest_answer_has_a_token() -> None:
    ids = [f"{n:04d}" + chr(0x4E00 + n) * 41 for n in range(MOST_PINNED)]
    rest = Pinned(ids, [float(n) for n in range(MOST_PINNED)], None, [9] * MOST_PINNED)
    assert _read(10, _read(10, "", "q").token(rest), "q").pinned == rest


@given(request=fields, other=fields)
def test_token_of_another_request_is_refused(request: tuple[str, str], other: tuple[str, str]) -> None:
    assume(request != other)
    assert _refused(10, _read(10, "", *request).token(REST), *other) == ["page_token"]


def test_fields_do_not_run_into_each_other() -> None:
    assert _refused(10, _read(10, "", "ab", "c").token(REST), "a", "bc") == ["page_token"]


def test_token_of_another_page_size_is_refused() -> None:
    assert _refused(20, _read(10, "", "q").token(REST), "q") == ["page_token"]


@given(place=st.integers(0, 60), letter=st.characters())
def test_changed_token_is_refused(place: int, letter: str) -> None:
    token = _read(10, "", "q").token(REST)
    changed = token[:place] + letter + token[place + 1 :]
    assume(changed != token)
    assert _refused(10, changed, "q") == ["page_token"]


@given(packed=st.binary(max_size=60))
def test_bytes_that_are_no_rest_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no pinned products"):
        unpack(packed)


def test_bytes_that_swell_beyond_any_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        unpack(zlib.compress(bytes(10**8)))


@given(token=st.one_of(st.text(min_size=1), st.binary(min_size=1, max_size=30).map(lambda raw: raw.hex())))
def test_anything_else_is_refused(token: str) -> None:
    assert _refused(10, token, "q") == ["page_token"]


def test_zero_is_the_default_size_and_shares_its_tokens() -> None:
    first = _read(0, "", "q")
    assert first.size == 10
    assert _read(10, first.token(REST), "q").pinned == REST


@pytest.mark.parametrize("size", [-1, 101, 10**9, -(2**31)])
def test_size_out_of_range_is_refused(size: int) -> None:
    assert _refused(size, "", "q") == ["page_size"]
