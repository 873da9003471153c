"""A load generator that goes before what it loads: on another machine nothing would keep it from sending."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NICE = -10
# Linux gives each session of processes its own share of the cores, which niceness does not move.
_SESSION = Path("/proc/self/autogroup")


@contextmanager
def ahead() -> Iterator[bool]:
    """Run this process, and those it starts meanwhile, before others; yields whether it may."""
    before, session = os.getpriority(os.PRIO_PROCESS, 0), _session_nice()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except PermissionError:
        yield False
        return
    try:
        yield _set_session_nice(_NICE) if session is not None else True
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
        if session is not None:
            _set_session_nice(session)


def permitted() -> bool:
    """Return whether `ahead` has an effect here."""
    with ahead() as allowed:
        return allowed


def _session_nice() -> int | None:
    """Return the niceness of this session of processes; None where sessions have no share of their own."""
    enabled = Path("/proc/sys/kernel/sched_autogroup_enabled")
    if not (_SESSION.is_file() and enabled.is_file() and enabled.read_text(encoding="ascii").strip() == "1"):
        return None
    words = _SESSION.read_text(encoding="ascii").split()  # "/autogroup-794 nice 0"
    return int(words[-1]) if words else None


def _set_session_nice(value: int) -> bool:
    try:
        _SESSION.write_text(str(value), encoding="ascii")
    except OSError:  # the kernel takes one change in a tenth of a second from those who are not root
        return False
    return True
