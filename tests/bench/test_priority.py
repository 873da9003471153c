"""The load generator goes first while it sends, and only then."""

import os

import pytest

from bench import priority


def _nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.skipif(not priority.permitted(), reason="this user may not raise a priority")
def test_generator_goes_first_while_it_sends_and_not_after() -> None:
    before = _nice()
    with pytest.raises(ZeroDivisionError), priority.ahead() as allowed:
        assert allowed
        assert _nice() == -10
        raise ZeroDivisionError
    assert _nice() == before


def test_without_permission_nothing_changes_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    before = _nice()
    with priority.ahead() as allowed:
        assert not allowed
    assert _nice() == before
    assert not priority.permitted()
