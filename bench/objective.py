"""The highest rate that keeps a bound: bracketed, bisected, and confirmed."""

import argparse
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.measure import Stop, Target, measure
from bench.session import Findings, load_of, peak

# A first guess that a gateway should keep; found anew from it in either direction.
_FIRST_SHARE = 0.4
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


async def slo(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Find the highest rate whose p99 keeps --p99-ms with hardly an error, inside --limit seconds."""
    found, settings = Findings(), load_of(options)
    until = time.monotonic() + options.limit
    top = await peak(target)
    found.figures["search/closed_loop/achieved_qps"] = round(top, 3)

    def may_go_on() -> bool:
        run_seconds = settings.warmup + settings.duration + settings.deadline_ms / 1000
        return not stop() and time.monotonic() + run_seconds < until

    async def probe(rate: float) -> bool:
        if not may_go_on():
            return False
        measured = await measure(target, settings, f"probe_{len(found.measured) + 1}", rate, stop)
        found.measured.append(measured)
        if measured.stopped:
            return False
        row = measured.rows[0]
        wrong = 1 - row.in_deadline_share
        keeps = row.latencies_ms["p99"] <= options.p99_ms and wrong <= options.errors and not row.doubtful
        print(
            f"{rate:.1f}/s: p99 {row.latencies_ms['p99']:.1f} ms, {wrong:.1%} unanswered or late"
            f"{', the generator was late' if row.doubtful else ''}: {'kept' if keeps else 'broken'}"
        )
        return keeps

    limit = Limit(_FIRST_SHARE * top, options.precision)
    rate, confirmed = await highest(limit, probe, options.confirm, may_go_on)
    found.figures |= {
        "search/slo/p99_bound_ms": options.p99_ms,
        "search/slo/highest_qps": round(rate, 3),
        "search/slo/confirmed": int(confirmed),
        "search/slo/share_of_closed_loop": round(rate / top, 4),
    }
    found.sentences.append(_sentence(options.p99_ms, rate, confirmed, limit.broken))
    return found


def _sentence(bound: float, rate: float, confirmed: bool, broken: float) -> str:
    if not rate:
        return f"no rate that was measured kept p99 under {bound:g} ms"
    how = "confirmed" if confirmed else "not confirmed: the time was up (--limit)"
    above = f"; {broken:.1f}/s broke it" if broken < float("inf") else ""
    return f"p99 stays under {bound:g} ms up to {rate:.1f} calls/s ({how}{above})"
