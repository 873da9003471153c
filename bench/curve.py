"""Latency at several rates: those asked for, or shares of saturation, and twice it."""

import argparse
from collections.abc import Mapping

from bench import measure as measuring
from bench import saturation
from bench.measure import Measured, Stop, Target, measure
from bench.session import Findings, load_of, peak

_SHARES = (0.25, 0.5, 0.8)
_OVERLOAD = "overload"


async def run(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Measure the rates asked for, the recorded arrivals, or shares of saturation."""
    found = Findings()
    if options.arrivals:
        rates = {"recorded": measuring.recorded_rate(load_of(options))}
    elif options.rates:
        rates = {f"rate_{rate:g}": rate for rate in options.rates}
    else:
        rates = await _shares(target, _SHARES, found)
    if options.overload:
        top = found.figures.get("search/closed_loop/achieved_qps") or await _peak(target, found)
        rates[_OVERLOAD] = 2 * top
    return await _measure(options, target, rates, found, stop)


async def sweep(options: argparse.Namespace, target: Target, stop: Stop) -> Findings:
    """Measure evenly spaced rates up to saturation, and twice it."""
    found = Findings()
    points = max(2, options.points)
    shares = [0.1 + 0.9 * step / (points - 1) for step in range(points)]
    rates = await _shares(target, shares, found)
    rates[_OVERLOAD] = 2 * found.figures["search/closed_loop/achieved_qps"]
    return await _measure(options, target, rates, found, stop)


async def _shares(
    target: Target, shares: tuple[float, ...] | list[float], found: Findings
) -> dict[str, float]:
    top = await _peak(target, found)
    print(f"closed loop, {saturation.CLIENTS} clients: {top:.1f} calls/s; measuring shares of it")
    return {f"peak_{share:.0%}".rstrip("%"): share * top for share in shares}


async def _peak(target: Target, found: Findings) -> float:
    top = await peak(target)
    found.figures["search/closed_loop/achieved_qps"] = round(top, 3)
    return top


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
    """Say what became of the goodput at twice saturation, and of what was refused."""
    over = [m for m in found.measured if m.rows and m.rows[0].name == _OVERLOAD]
    others = [m for m in found.measured if m not in over]
    if not over or over[0].stopped:
        return
    best = max([found.figures["search/closed_loop/achieved_qps"], *map(_goodput, others)])
    goodput, row = _goodput(over[0]), over[0].rows[0]
    found.figures[f"{row.kind}/{_OVERLOAD}/goodput_over_peak"] = round(goodput / best, 4)
    shed = "nothing was shed" if row.shed_p99_ms is None else f"p99 of shed answers {row.shed_p99_ms:.1f} ms"
    found.sentences.append(
        f"at twice saturation ({sum(each.offered for each in over[0].rows):.1f}/s): goodput {goodput:.1f}/s, "
        f"{goodput / best:.0%} of the peak of {best:.1f}/s; {row.in_deadline_share:.1%} of calls "
        f"answered inside the deadline; {shed}"
    )


def _goodput(measured: Measured) -> float:
    return sum(row.goodput for row in measured.rows)
