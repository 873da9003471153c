"""Latency at several rates: those asked for, or shares of saturation, and twice it."""

import argparse
from collections.abc import Mapping, Sequence

from bench import measure as measuring
from bench.measure import Measured, Stop, Target, measure
from bench.saturation import goodput
from bench.session import Findings, load_of, saturated

_SHARES = (0.25, 0.5, 0.8)
OVERLOAD = "overload"


async def run(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Measure the rates asked for, the recorded arrivals, or shares of saturation."""
    found = Findings()
    if options.arrivals:
        rates = {"recorded": measuring.recorded_rate(load_of(options))}
    elif options.rates:
        rates = {f"rate_{rate:g}": rate for rate in options.rates}
    else:
        rates = _shares(await saturated(target, load_of(options), found, stop), _SHARES)
    if options.overload:
        known = found.figures.get("search/saturation/qps")
        rates[OVERLOAD] = 2 * (known or await saturated(target, load_of(options), found, stop))
    return await _measure(options, target, rates, found, stop)


async def sweep(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Measure evenly spaced rates up to saturation, and twice it."""
    found = Findings()
    points = max(2, options.points)
    top = await saturated(target, load_of(options), found, stop)
    rates = _shares(top, [0.1 + 0.9 * step / (points - 1) for step in range(points)])
    return await _measure(options, target, rates | {OVERLOAD: 2 * top}, found, stop)


def _shares(top: float, shares: Sequence[float]) -> dict[str, float]:
    return {f"peak_{share:.0%}".rstrip("%"): share * top for share in shares}


async def _measure(
    options: argparse.Namespace, target: Target, rates: Mapping[str, float], found: Findings, stop: Stop
) -> Findings:
    settings = load_of(options)
    measuring.require_bounded(settings, list(rates.values()))
    for name, rate in rates.items():
        if stop():
            break
        found.measured.append(await measure(target, settings, name, rate, stop))
    _judge_overload(found)
    return found


def _judge_overload(found: Findings) -> None:
    over = [m for m in found.measured if m.rows and m.rows[0].name == OVERLOAD]
    if not over or over[0].stopped:
        return
    others = [goodput(each) for each in found.measured if each not in over]
    peak = max([found.figures["search/saturation/peak_goodput_qps"], *others])
    found.figures[f"{over[0].rows[0].kind}/{OVERLOAD}/goodput_over_peak"] = round(goodput(over[0]) / peak, 4)
    found.sentences.append(overload_sentence(over[0], peak))


def overload_sentence(over: Measured, peak: float) -> str:
    """Say what became of the goodput at twice saturation, and of what was refused."""
    row, good = over.rows[0], goodput(over)
    shed = "nothing was shed" if row.shed_p99_ms is None else f"p99 of shed answers {row.shed_p99_ms:.1f} ms"
    return (
        f"at twice saturation ({sum(each.offered for each in over.rows):.1f}/s): goodput {good:.1f}/s, "
        f"{good / peak:.0%} of the peak of {peak:.1f}/s; beside it "
        f"{sum(each.degraded_goodput for each in over.rows):.1f}/s degraded; {row.in_deadline_share:.1%} of "
        f"calls answered inside the deadline; {shed}"
    )
