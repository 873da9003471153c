"""The instant by which the current request must be answered."""

import math
import time
from contextvars import ContextVar

_expires_at: ContextVar[float] = ContextVar("expires_at", default=math.inf)


def expires_at() -> float:
    """Return the request's deadline as a `time.monotonic()` instant; infinite outside of a request."""
    return _expires_at.get()


def remaining() -> float:
    """Return the seconds left for the current request, never negative; infinite outside of a request."""
    return max(0.0, _expires_at.get() - time.monotonic())


def begin(seconds: float) -> None:
    """Give the current request `seconds` from now."""
    _expires_at.set(time.monotonic() + seconds)
