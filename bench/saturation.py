"""Finds how many calls a second a gateway can answer, under an open load.

A closed loop of a few clients reads too low: it never has more calls under way than clients, so batches stay
small and a process waits whenever the clients it would serve next are still reading their answers. Here
calls come when they are due, whatever became of those before them.
"""

import time
from dataclasses import dataclass, replace

from bench.calls import Shown, send
from bench.limits import Limit, highest
from bench.measure import Load, Measured, Stop, Target, measure

# So many of the calls of a rate must be answered whole and in time, the time that a backlog takes after the
# last call included: one that grows by a twentieth of the load breaks the rate.
_KEPT_SHARE = 0.95
_PRECISION = 0.05
_LEAST_CALLS = 3  # of a rate: fewer say nothing
_ALONE_SECONDS = 1.0
_PROBE_SECONDS = 4.0
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Saturation:
    """The highest rate that was answered, and the most whole answers in time at any rate, both a second."""

    rate: float
    peak: float
    probes: int


async def find(target: Target, settings: Load, stop: Stop, seconds: float = _PROBE_SECONDS) -> Saturation:
    """Return where the target saturates: every rate is loaded for `seconds`, about ten of them.

    Raises ValueError when not even the least rate is answered, and grpc.aio.AioRpcError when one call alone
    is not.
    """
    probing = replace(settings, duration=seconds, warmup=min(_WARM_UP_SECONDS, seconds / 2), recording=None)
    measured: list[Measured] = []

    async def probe(rate: float) -> bool:
        if rate * seconds < _LEAST_CALLS:
            return False
        found = await measure(target, probing, f"probe {len(measured) + 1}", rate, stop)
        measured.append(found)
        return not found.stopped and goodput(found) >= _KEPT_SHARE * sum(row.offered for row in found.rows)

    limit = Limit(await _alone(target, settings, min(seconds, _ALONE_SECONDS)), _PRECISION)
    rate, _ = await highest(limit, probe, 0, lambda: not stop())
    if not rate and not stop():
        raise ValueError(f"the gateway at {target.gateway} answered no rate; look at its log")
    return Saturation(rate, max((goodput(each) for each in measured), default=0.0), len(measured))


def goodput(measured: Measured) -> float:
    """Return the whole answers in time a second, of all kinds of calls."""
    return sum(row.goodput for row in measured.rows)


async def _alone(target: Target, settings: Load, seconds: float) -> float:
    """Return the calls a second of one client that waits for each answer: a first guess."""
    shown, calls, start = Shown(), 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        await send(target.stubs[0], target.mix.calls(1)[0], shown, settings.deadline_ms / 1000)
        calls += 1
    return calls / spent
