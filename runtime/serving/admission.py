"""How many calls of a method a process takes on at once: as many as it answers without letting them queue."""

from contextvars import ContextVar
from dataclasses import dataclass

from runtime.observability import metrics

# A window of calls is judged as one: single latencies of calls that differ say little.
_WINDOW_SECONDS = 0.1
_WINDOW_CALLS = 10

_FIRST = 20
_ALLOWANCE = 4.0
_TOLERANCE = 2.0
_SMOOTHING = 0.2
_MOST_CUT = 0.5
_STRAINED_SHARE = 0.02
_LONG_WINDOWS = 600
_WARM_UP_WINDOWS = 10
_RECOVERED = 2.0
_RECOVERY = 0.95


class Gradient2:
    """A limit that follows latency: Gradient2 of Netflix's concurrency-limits (Gradient2Limit.java, 2018).

    The gradient is twice the long-term latency over that of the last window, between .5 and 1; the limit goes
    a fifth of the way to `limit * gradient + 4`. So it grows by a few while latency stays as it was, and
    settles where calls take about twice as long as without a queue.

    Two things are added. A window in which calls were refused does not count for the long-term latency: under
    an overload that lasts, the original takes the queue it made itself for normal, and its limit grows on.
    And where calls were answered in part for want of time, the limit falls by their share at once, whatever
    latency says: leaving out a stage is what keeps it low.
    """

    def __init__(self, least: int, most: int) -> None:
        """Keep the limit between `least` and `most`, both at least 1 and `least` at most `most`."""
        self._least, self._most = least, most
        self._limit = float(min(most, max(least, _FIRST)))
        self._long_seconds = 0.0
        self._windows = 0

    @property
    def limit(self) -> int:
        """How many calls may be served at once."""
        return int(self._limit)

    def update(self, seconds: float, inflight: int, *, refused: bool, strained: float = 0.0) -> None:
        """Take in one window: its mean latency, the most calls at once in it, and whether any was refused.

        `strained` is the share of its calls that were answered in part for want of time.
        """
        if not refused or not self._windows:
            self._learn(seconds)
        if self._long_seconds > _RECOVERED * seconds:
            self._long_seconds *= _RECOVERY
        if inflight < self._limit / 2:
            return  # the callers ask for less: latency says nothing of the limit
        gradient = max(_MOST_CUT, min(1.0, _TOLERANCE * self._long_seconds / max(seconds, 1e-9)))
        if strained > _STRAINED_SHARE:
            limit = self._limit * min(gradient, max(_MOST_CUT, 1 - strained))
        else:
            wanted = self._limit * gradient + _ALLOWANCE
            limit = (1 - _SMOOTHING) * self._limit + _SMOOTHING * wanted
        self._limit = max(self._least, min(self._most, limit))

    def _learn(self, seconds: float) -> None:
        self._windows += 1
        if self._windows <= _WARM_UP_WINDOWS:
            self._long_seconds += (seconds - self._long_seconds) / self._windows
        else:
            self._long_seconds += (seconds - self._long_seconds) * 2 / (_LONG_WINDOWS + 1)


@dataclass
class Call:
    """What becomes of one call while it is served."""

    strained: bool = False


_call: ContextVar[Call | None] = ContextVar("call", default=None)


def begin() -> Call:
    """Return what is noted of the call that is served from here on."""
    call = Call()
    _call.set(call)
    return call


def note_strain() -> None:
    """Note that the call being served is answered in part, because something was late or overloaded."""
    if (call := _call.get()) is not None:
        call.strained = True


@dataclass
class _Window:
    began: float
    calls: int = 0
    strained: int = 0
    seconds: float = 0.0
    inflight: int = 0
    refused: bool = False


class Door:
    """Counts the calls of one method, refuses those over the limit, and moves the limit with their latency.

    Instants are seconds of any steady clock.
    """

    def __init__(self, service: str, method: str, limit: Gradient2) -> None:
        self._limit = limit
        self._inflight = 0
        self._window: _Window | None = None
        self._gauge = metrics.CONCURRENCY_LIMIT.labels(service, method)
        self._gauge.set(limit.limit)

    def enter(self, now: float) -> bool:
        """Let a call in, which must then `leave`; False when it has to be refused."""
        if self._window is None:
            self._window = _Window(now)
        if self._inflight >= self._limit.limit:
            self._window.refused = True
            return False
        self._inflight += 1
        self._window.inflight = max(self._window.inflight, self._inflight)
        return True

    def leave(self, entered: float, now: float, *, counts: bool, strained: bool = False) -> None:
        """Note that a call ended; `counts`: whether its latency tells of the load, unlike a bad input's."""
        self._inflight -= 1
        window = self._window
        if not counts or window is None:
            return
        window.calls += 1
        window.strained += strained
        window.seconds += now - entered
        if window.calls < _WINDOW_CALLS or now - window.began < _WINDOW_SECONDS:
            return
        self._limit.update(
            window.seconds / window.calls,
            window.inflight,
            refused=window.refused,
            strained=window.strained / window.calls,
        )
        self._gauge.set(self._limit.limit)
        self._window = _Window(now, inflight=self._inflight)
