"""How a system's searches are timed and judged."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Find = Callable[[int], Sequence[int]]  # of query number q, the rows found, best first
_WARM_UP = 20


@dataclass
class Figures:
    """What was measured of one system on one set, by measure."""

    system: str
    values: dict[str, float] = field(default_factory=dict)


def timed(system: str, find: Find, queries: int) -> tuple[Figures, list[Sequence[int]]]:
    """Run each query once after a warm-up, one after the other; milliseconds from call to return."""
    for query in range(min(_WARM_UP, queries)):
        find(query)
    taken, found = np.empty(queries), []
    for query in tqdm(range(queries), desc=system, unit="query", leave=False):
        start = time.perf_counter()
        rows = find(query)
        taken[query] = 1000 * (time.perf_counter() - start)
        found.append(rows)
    return Figures(system, percentiles(taken)), found


def percentiles(milliseconds: NDArray[np.float64]) -> dict[str, float]:
    """The median and the 99th percentile of all samples."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}


def recall(found: Sequence[Sequence[int]], truth: Sequence[Sequence[int]], count: int) -> float:
    """The mean share of the `count` true best that are among the first `count` found."""
    shares = [
        len(set(rows[:count]) & set(best[:count])) / min(count, max(len(best), 1))
        for rows, best in zip(found, truth, strict=True)
    ]
    return round(float(np.mean(shares)), 5)


def resident_mb() -> float:
    """The memory of this process, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return round(int(kilobytes) / 1024, 1)
