"""The table of a contest, its ratios, and the goals they are read against."""

from collections.abc import Callable, Mapping
from statistics import median

from rich.table import Table

from bench.peers.runs import LIMIT, Outcome

OURS, PLAIN = "aisle", "plain-grpc"
_SHOWN = (
    "throughput_qps",
    "clients_at_best",
    "alone_p50_ms",
    "alone_p99_ms",
    "p99_at_32_clients_ms",
    "half_p50_ms",
    "half_p99_ms",
    "errors",
    "half_errors",
)


def figures(outcome: Outcome) -> dict[str, float]:
    """Return the medians of all rounds by "encoder/<system>/<measure>", and the ratios."""
    found = {
        f"encoder/{name}/{measure}": round(median(each[measure] for each in rounds), 4)
        for name, rounds in outcome.rounds.items()
        for measure in rounds[0]
    }
    for name, values in ratios(outcome).items():
        found[f"encoder/{name}"] = round(median(values), 4)
        found[f"encoder/{name}/least"] = round(min(values), 4)
        found[f"encoder/{name}/most"] = round(max(values), 4)
    return found


def ratios(outcome: Outcome) -> dict[str, list[float]]:
    """Return our ratios to the others, one for each round, of those that were measured."""
    rounds = outcome.rounds
    peers = [name for name in rounds if name not in (OURS, LIMIT)]
    if OURS not in rounds:
        return {}
    found = {
        "throughput-of-in-process-batches": _over(rounds[OURS], rounds[LIMIT], "throughput_qps"),
        "alone-p50-over-in-process": _over(rounds[OURS], rounds[LIMIT], "alone_p50_ms"),
    }
    if PLAIN in rounds:
        found["throughput-over-plain-grpc"] = _over(rounds[OURS], rounds[PLAIN], "throughput_qps")
    if peers:
        best = _best(rounds, peers, "throughput_qps", max)
        found["throughput-over-best-peer"] = _over(rounds[OURS], rounds[best], "throughput_qps")
        quickest = _best(rounds, peers, "half_p99_ms", min)
        found["half-p99-over-best-peer"] = _over(rounds[OURS], rounds[quickest], "half_p99_ms")
    return found


def table(found: Mapping[str, float]) -> Table:
    """One line a system."""
    drawn = Table(box=None, padding=(0, 1), header_style="dim")
    drawn.add_column("system", no_wrap=True)
    for name in _SHOWN:
        drawn.add_column(name.replace("_", " "), justify="right")
    systems = dict.fromkeys(name.split("/")[1] for name in found if name.endswith("/throughput_qps"))
    for system in systems:
        values = (found.get(f"encoder/{system}/{measure}") for measure in _SHOWN)
        drawn.add_row(system, *("" if value is None else f"{value:.4g}" for value in values))
    return drawn


def ratio_table(found: Mapping[str, float]) -> Table:
    """One line a ratio: its median, and the least and most of all rounds."""
    drawn = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("ratio", "median", "least", "most"):
        drawn.add_column(name, justify="left" if name == "ratio" else "right", no_wrap=True)
    for name, value in found.items():
        if name.count("/") == 1:
            ends = (f"{found[f'{name}/{end}']:.2f}" for end in ("least", "most"))
            drawn.add_row(name.removeprefix("encoder/"), f"{value:.2f}", *ends)
    return drawn


def _over(one: list[dict[str, float]], other: list[dict[str, float]], measure: str) -> list[float]:
    return [mine[measure] / theirs[measure] for mine, theirs in zip(one, other, strict=True)]


def _best(
    rounds: Mapping[str, list[dict[str, float]]],
    names: list[str],
    measure: str,
    pick: Callable[..., str],
) -> str:
    """Return the system with the best median: one peer for all rounds, not the luckiest of each."""
    best: str = pick(names, key=lambda name: median(each[measure] for each in rounds[name]))
    return best
