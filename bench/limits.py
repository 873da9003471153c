"""Searching the highest rate that keeps a bound: bracketed, bisected, and confirmed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_LEAST_RATE = 0.1
_MOST_PROBES = 60


@dataclass
class Limit:
    """A search for the highest rate that keeps a bound, one probe at a time.

    `kept` is the highest rate that kept it and is below every one that broke it, 0 for none.
    """

    first: float
    precision: float  # the relative gap between kept and broken rates at which the search ends
    kept: float = 0.0
    broken: float = field(default=float("inf"))

    def next(self) -> float | None:
        """Return the rate to probe, None when the gap is small enough or no rate worth asking keeps it."""
        if not self.kept and self.broken == float("inf"):
            return self.first
        if self.broken == float("inf"):
            return 1.5 * self.kept
        if not self.kept:
            return self.broken / 2 if self.broken > _LEAST_RATE else None
        if self.broken / self.kept <= 1 + self.precision:
            return None
        return float((self.kept * self.broken) ** 0.5)

    def note(self, rate: float, keeps: bool) -> None:
        """Note whether a rate kept the bound."""
        if keeps:
            self.kept = max(self.kept, rate)
        else:
            self.broken = min(self.broken, rate)
            self.kept = self.kept if self.kept < rate else 0.0


Probe = Callable[[float], Awaitable[bool]]


async def highest(
    limit: Limit, probe: Probe, confirmations: int, may_go_on: Callable[[], bool]
) -> tuple[float, bool]:
    """Return the highest rate that `probe` says keeps the bound, and whether it was confirmed.

    The rate that the bisection ends on is probed `confirmations` times more; when most of these break the
    bound, the search goes on below it. Ends when `may_go_on` says no, or after sixty probes.
    """
    probes = 0
    while may_go_on() and probes < _MOST_PROBES:
        rate = limit.next()
        if rate is not None:
            limit.note(rate, await probe(rate))
            probes += 1
            continue
        if not limit.kept:
            break
        kept = 0
        for _ in range(confirmations):
            kept += await probe(limit.kept)
        probes += confirmations
        if not may_go_on():
            break
        if 2 * kept >= confirmations:
            return limit.kept, True
        limit.note(limit.kept, False)
    return limit.kept, False
