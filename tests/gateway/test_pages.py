"""Page tokens: what they carry, and what they refuse."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.pages import Page, read_page
from runtime.serving.errors import InvalidArgument, Violations

fields = st.tuples(st.text(max_size=40), st.text(max_size=40))
sizes = st.integers(1, 100)
offsets = st.integers(0, 2**32 - 1)


def _read(size: int, token: str, *request: str) -> Page:
    violations = Violations()
    page = read_page(violations, size, token, *request)
    violations.raise_if_any()
    return page


def _refused(size: int, token: str, *request: str) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        _read(size, token, *request)
    return list(caught.value.fields)


@given(size=sizes, offset=offsets, request=fields)
def test_token_brings_its_own_request_to_its_offset(size: int, offset: int, request: tuple[str, str]) -> None:
    token = _read(size, "", *request).token_at(offset)
    assert re.fullmatch(r"[\w-]{24}", token)
    assert _read(size, token, *request) == Page(offset, size, request)


@given(offset=offsets, request=fields, other=fields)
def test_token_of_another_request_is_refused(
    offset: int, request: tuple[str, str], other: tuple[str, str]
) -> None:
    assume(request != other)
    assert _refused(10, _read(10, "", *request).token_at(offset), *other) == ["page_token"]


def test_fields_do_not_run_into_each_other() -> None:
    assert _refused(10, _read(10, "", "ab", "c").token_at(10), "a", "bc") == ["page_token"]


def test_token_of_another_page_size_is_refused() -> None:
    assert _refused(20, _read(10, "", "q").token_at(10), "q") == ["page_token"]


@given(offset=offsets, place=st.integers(0, 23), letter=st.characters())
def test_changed_token_is_refused(offset: int, place: int, letter: str) -> None:
    token = _read(10, "", "q").token_at(offset)
    changed = token[:place] + letter + token[place + 1 :]
    assume(changed != token)
    assert _refused(10, changed, "q") == ["page_token"]


@given(token=st.one_of(st.text(min_size=1), st.binary(min_size=1, max_size=30).map(lambda raw: raw.hex())))
def test_anything_else_is_refused(token: str) -> None:
    assert _refused(10, token, "q") == ["page_token"]


def test_zero_is_the_default_size_and_shares_its_tokens() -> None:
    first = _read(0, "", "q")
    assert first.size == 10
    assert _read(10, first.token_at(10), "q").offset == 10


@pytest.mark.parametrize("size", [-1, 101, 10**9, -(2**31)])
def test_size_out_of_range_is_refused(size: int) -> None:
    assert _refused(size, "", "q") == ["page_size"]
