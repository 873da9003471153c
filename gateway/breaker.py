"""Stops asking a service that has fallen silent, and tries it again from time to time."""

import math

_SILENCES = 5
_PAUSE_SECONDS = 1.0


class Breaker:
    """Opens after five calls in a row got no answer in fair time; then lets one call a second through.

    Refused connections don't count: they fail in a millisecond and need no breaker. Instants are those of
    `time.monotonic()`.
    """

    def __init__(self) -> None:
        self._silences = 0
        self._try_again = -math.inf

    def allows(self, now: float) -> bool:
        """Return whether to call now."""
        if self._silences < _SILENCES:
            return True
        if now < self._try_again:
            return False
        # Only this call goes through, whatever becomes of it, until the pause is over again.
        self._try_again = now + _PAUSE_SECONDS
        return True

    def answered(self) -> None:
        """Note that the service answered, be it with an error."""
        self._silences = 0

    def stayed_silent(self, now: float) -> None:
        """Note that a call had fair time and got no answer."""
        self._silences += 1
        self._try_again = now + _PAUSE_SECONDS
