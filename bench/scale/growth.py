"""How cost grows: non-negative least squares over what was measured, and queueing by M/M/c."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bench.scale.points import Point

_LATENCY_PERCENTILE = 99.0
_LEAST_POINTS = 3
Vector = NDArray[np.float64]


class GrowthError(Exception):
    """The points tell no growth; the message says what they lack."""


@dataclass(frozen=True)
class Sum:
    """A sum of named terms, each with a coefficient of at least 0."""

    coefficients: Mapping[str, float]
    error: float  # mean relative error over the points it was fitted on

    def at(self, **terms: float) -> float:
        """Return the sum; a term that is not given counts as 0, and `fixed` as 1."""
        return sum(
            coefficient * (1.0 if term == "fixed" else terms.get(term, 0.0))
            for term, coefficient in self.coefficients.items()
        )


@dataclass(frozen=True)
class Growth:
    """How CPU, memory and latency grow.

    cpu[process] = fixed + product * N + candidate * K + idle / rate, milliseconds a call: what a process
    does whether it is asked or not falls to fewer calls when there are few. memory[process] = fixed +
    product * N, MB. p99 = fixed + product * N + candidate * K + wait * W, milliseconds, where W is the wait
    in an M/M/c queue whose servers are the cores.
    """

    cpu: Mapping[str, Sum]
    memory: Mapping[str, Sum]
    p99: Sum
    cores: int
    most_utilised: float  # the highest utilisation of a fitted point: beyond it nothing is known
    generator_ms: float
    fitted: int
    left_out: int  # points that were not whole

    def cpu_ms(self, products: float, candidates: float, rate: float) -> dict[str, float]:
        """Return the CPU milliseconds of a call by process."""
        return {
            process: each.at(product=products, candidate=candidates, idle=1 / rate)
            for process, each in self.cpu.items()
        }

    def memory_mb(self, products: float) -> dict[str, float]:
        """Return the MB of one process of each kind."""
        return {process: each.at(product=products) for process, each in self.memory.items()}

    def p99_ms(self, products: float, candidates: float, utilisation: float, demand_ms: float) -> float:
        """Return the p99 of calls of `demand_ms` CPU each on cores that are busy for that share."""
        wait = wait_ms(utilisation, demand_ms, self.cores)
        return self.p99.at(product=products, candidate=candidates, wait=wait)

    def figures(self) -> dict[str, float]:
        """Return coefficients and errors by "scale/fit/<what>/<term>"."""
        found: dict[str, float] = {}
        sums = {f"cpu_{process}": each for process, each in self.cpu.items()}
        sums |= {f"memory_{process}": each for process, each in self.memory.items()} | {"p99": self.p99}
        for name, each in sums.items():
            found |= {f"scale/fit/{name}/{term}": value for term, value in each.coefficients.items()}
            found[f"scale/fit/{name}/mean_relative_error"] = round(each.error, 4)
        found |= {"scale/fit/points": self.fitted, "scale/fit/left_out": self.left_out}
        return found | {"scale/fit/most_utilised": round(self.most_utilised, 4)}


def fit(points: Sequence[Point]) -> Growth:
    """Fit the growth on the load points that are not held out; raises GrowthError when they are too few."""
    own = [point for point in points if point.part == "load" and not point.held_out]
    used = [point for point in own if point.whole]
    if len(used) < _LEAST_POINTS or len({point.products for point in used}) < 2:
        raise GrowthError(
            f"{len(used)} of {len(own)} points had whole answers, of "
            f"{len({point.products for point in used})} sizes: growth needs {_LEAST_POINTS} of two sizes; "
            "lower --loads, or run `make bench-scale` on a quieter machine"
        )
    columns = {
        "fixed": np.ones(len(used)),
        "product": _column(used, "products"),
        "candidate": _column(used, "candidates"),
        "idle": 1 / _column(used, "rate"),
    }
    waits = [wait_ms(point.utilisation, point.demand_ms, point.cores) for point in used]
    sized = {name: columns[name] for name in ("fixed", "product")}
    placed = {name: columns[name] for name in ("fixed", "product", "candidate")}
    return Growth(
        cpu={
            name: smallest(columns, np.array([each.cpu_ms[name] for each in used])) for name in used[0].cpu_ms
        },
        memory={
            name: smallest(sized, np.array([each.memory_mb[name] for each in used]))
            for name in used[0].memory_mb
        },
        p99=smallest(placed | {"wait": np.array(waits)}, _column(used, "p99_ms")),
        cores=used[0].cores,
        most_utilised=max(point.utilisation for point in used),
        generator_ms=float(np.median(_column(used, "generator_ms"))),
        fitted=len(used),
        left_out=len(own) - len(used),
    )


def smallest(columns: Mapping[str, Vector], values: Vector) -> Sum:
    """Return the sum of the columns (each float64 [n]) with the least squares of relative errors.

    `values` is float64 [n]. No coefficient is below 0, since no cost falls with what is asked
    (Lawson and Hanson 1974, Solving Least Squares Problems, ch. 23). Raises GrowthError for a value of 0.
    """
    if values.min() <= 0:
        raise GrowthError("a process told no CPU or memory of a load: make it longer with --duration")
    scales = {name: max(float(np.abs(column).max()), 1e-300) for name, column in columns.items()}
    rows = np.column_stack([columns[name] / scales[name] / values for name in columns])
    found, _ = nnls(rows, np.ones(len(values)))
    errors = np.abs(rows @ found - 1)
    coefficients = {name: float(each / scales[name]) for name, each in zip(columns, found, strict=True)}
    return Sum(coefficients, float(errors.mean()))


def wait_ms(
    utilisation: float, service_ms: float, servers: int, percentile: float = _LATENCY_PERCENTILE
) -> float:
    """Return a percentile of the wait in an M/M/c queue, in milliseconds; infinite from utilisation 1 on.

    P(wait > t) = C exp(-(c m - l) t) with Erlang's C formula (Kleinrock 1975, Queueing Systems I, 3.5).
    """
    if utilisation >= 1:
        return math.inf
    if utilisation <= 0:
        return 0.0
    waiting = erlang_c(servers, servers * utilisation)
    late = waiting / (1 - percentile / 100)
    return max(0.0, math.log(late)) * service_ms / (servers * (1 - utilisation))


def erlang_c(servers: int, offered: float) -> float:
    """Return the chance that a call waits, of `offered` < `servers` erlangs."""
    blocked = 1.0  # Erlang's B by its recursion, which does not overflow
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def checked(growth: Growth, points: Sequence[Point]) -> dict[str, float]:
    """Return predicted over measured of the points that were held out, by "plan/<point>/<measure>".

    `predicted_over_measured` is of the cores a rate takes, the others of the memory and of p99.
    """
    found: dict[str, float] = {}
    for point in points:
        if not point.held_out:
            continue
        cpu = growth.cpu_ms(point.products, point.candidates, point.rate)
        memory = growth.memory_mb(point.products)
        demand = sum(cpu.values()) + growth.generator_ms
        busy = point.rate * demand / 1000 / point.cores
        p99 = growth.p99_ms(point.products, point.candidates, busy, demand)
        ratios = {
            "predicted_over_measured": sum(cpu.values()) / sum(point.cpu_ms.values()),
            "memory_predicted_over_measured": sum(memory.values()) / sum(point.memory_mb.values()),
            "p99_predicted_over_measured": p99 / point.p99_ms,
        }
        found |= {f"plan/{point.name}/{name}": round(value, 4) for name, value in ratios.items()}
    return found


def _column(points: Sequence[Point], name: str) -> Vector:
    return np.array([getattr(point, name) for point in points], dtype=np.float64)
