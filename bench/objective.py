"""The highest rate that keeps a bound on p99."""

import argparse
import time

from bench.limits import Limit, highest
from bench.measure import Stop, Target, measure
from bench.session import Findings, load_of, saturated

# A first guess that a gateway should keep; found anew from it in either direction.
_FIRST_SHARE = 0.4


async def slo(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Find the highest rate whose p99 keeps --p99-ms with hardly an error, inside --limit seconds."""
    found, settings = Findings(), load_of(options)
    until = time.monotonic() + options.limit
    top = await saturated(target, settings, found, stop)

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
        "search/slo/share_of_saturation": round(rate / max(top, 1e-9), 4),
    }
    found.sentences.append(_sentence(options.p99_ms, rate, confirmed, limit.broken))
    return found


def _sentence(bound: float, rate: float, confirmed: bool, broken: float) -> str:
    if not rate:
        return f"no rate that was measured kept p99 under {bound:g} ms"
    how = "confirmed" if confirmed else "not confirmed: the time was up (--limit)"
    above = f"; {broken:.1f}/s broke it" if broken < float("inf") else ""
    return f"p99 stays under {bound:g} ms up to {rate:.1f} calls/s ({how}{above})"
