"""Two gateways loaded in turn in one run: ratios with intervals, whatever the machine's mood."""

import argparse
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import Measured, Stop, Target, measure
from bench.mixes import Mix
from bench.session import Findings, load_of, saturated, target

_SHARE_OF_SATURATION = 0.25
_DRAWS = 10_000
_LEVEL = 95.0
_ADDRESS = re.compile(r"^(dns:///)?[^@/]+:\d+$")


@dataclass(frozen=True)
class Ratio:
    """B over A of one measure: the geometric mean over the rounds, and a 95 % bootstrap interval of it."""

    measure: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.measure}: B/A {self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def ratio(measure: str, a: Sequence[float], b: Sequence[float], seed: int = 0) -> Ratio:
    """Return B over A of measurements paired by round, each above 0.

    Rounds are drawn with replacement, never single requests: requests of one round share the machine's mood,
    and an interval that took them for independent would be too narrow (Efron and Tibshirani 1993, ch. 13).
    """
    logs: NDArray[np.float64] = np.log(np.asarray(b, dtype=np.float64) / np.asarray(a, dtype=np.float64))
    rng = np.random.default_rng(seed)
    means = logs[rng.integers(0, len(logs), (_DRAWS, len(logs)))].mean(axis=1)
    low, high = np.percentile(means, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Ratio(measure, float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high)))


def side(text: str, gateway: str, file: Path | None) -> tuple[str, Path | None]:
    """Read GATEWAY, @QUERIES or GATEWAY@QUERIES; what is left out is as given. Raises ValueError."""
    address, _, path = text.partition("@")
    if address and not _ADDRESS.match(address):
        raise ValueError(f"A and B of compare must be host:port, @QUERIES or both, got {text!r}")
    return address or gateway, Path(path) if path else file


async def compare(options: argparse.Namespace, stop: Stop) -> tuple[Findings, list[Mix]]:
    """Load A and B in turn and return the ratios of their measures."""
    async with AsyncExitStack() as stack:
        targets = []
        for text, metrics in ((options.a, options.metrics_a), (options.b, options.metrics_b)):
            gateway, file = side(text, options.gateway, options.queries)
            known = metrics or (options.metrics if gateway == options.gateway else {})
            targets.append(await stack.enter_async_context(target(options, gateway, file, known)))
        return await _in_turn(options, targets, stop), [each.mix for each in targets]


async def _in_turn(options: argparse.Namespace, targets: Sequence[Target], stop: Stop) -> Findings:
    found, settings = Findings(), load_of(options)
    rate = options.rate or _SHARE_OF_SATURATION * await saturated(targets[0], settings, found, stop)
    rounds: list[tuple[Measured, Measured]] = []
    for number in range(1, options.rounds + 1):
        pair: dict[str, Measured] = {}
        # A B, then B A: what drifts with the clock falls on both alike.
        for name, of in list(zip("ab", targets, strict=True))[:: 1 if number % 2 else -1]:
            if not stop():
                pair[name] = await measure(of, settings, f"{name}_{number}", rate, stop)
                found.measured.append(pair[name])
        if stop():
            break
        rounds.append((pair["a"], pair["b"]))
    if len(rounds) < 2:
        found.sentences.append("stopped before two rounds were whole: there is no ratio")
        return found
    for each in ratios(rounds, options.seed):
        found.figures |= {
            f"compare/b_over_a/{each.measure}": round(each.value, 5),
            f"compare/b_over_a/{each.measure}_low": round(each.low, 5),
            f"compare/b_over_a/{each.measure}_high": round(each.high, 5),
        }
        found.sentences.append(str(each))
    return found


def ratios(rounds: Sequence[tuple[Measured, Measured]], seed: int = 0) -> list[Ratio]:
    """Return B over A for each measure that every run of both has above 0."""
    values = [tuple(_measures(each) for each in pair) for pair in rounds]
    names = [
        name
        for name in values[0][0]
        if all(measures.get(name, 0.0) > 0 for pair in values for measures in pair)
    ]
    return [ratio(name, [a[name] for a, _ in values], [b[name] for _, b in values], seed) for name in names]


def _measures(measured: Measured) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in measured.rows:
        found |= {f"{row.kind}_{name}_ms": row.latencies_ms[name] for name in ("p50", "p95", "p99")}
        found |= {f"{row.kind}_mean_ms": row.mean_ms, f"{row.kind}_achieved_qps": row.achieved}
    if measured.watched is not None:
        cpu = measured.watched.cpu_ms
        found |= {f"cpu_{name}_ms": value for name, value in cpu.items()}
        found["cpu_all_ms"] = sum(cpu.values())
    return found
