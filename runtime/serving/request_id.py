"""The request id that ties together the log lines of one request in every service."""

import secrets
from collections.abc import Iterable
from contextvars import ContextVar

METADATA_KEY = "x-request-id"
_MAX_LENGTH = 64

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id of the request being served, or an empty string outside of one."""
    return _current.get()


def adopt(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Take the caller's request id from the call's metadata, or make a new one, and return it."""
    given = next((value for key, value in metadata if key == METADATA_KEY), "")
    usable = isinstance(given, str) and 0 < len(given) <= _MAX_LENGTH and given.isprintable()
    identifier = str(given) if usable else secrets.token_hex(8)
    _current.set(identifier)
    return identifier
