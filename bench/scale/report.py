"""The table of a run, and what it says in sentences."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.scale import steps
from bench.scale.growth import Growth
from bench.scale.points import Point

_WIDTH = 150
_HEADS = (
    *("products", "candidates", "calls/s", "busy", "CPU ms", "of it generator", "MB"),
    *("p50 ms", "p99 ms", "not whole"),
)


def show(points: Sequence[Point]) -> None:
    """Print one line a point."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("point", no_wrap=True)
    for name in _HEADS:
        table.add_column(name, justify="right")
    for point in points:
        table.add_row(
            point.name,
            f"{point.products:,}",
            str(point.candidates),
            f"{point.rate:.1f}",
            f"{point.utilisation:.0%}",
            f"{point.demand_ms:.1f}",
            f"{point.generator_ms:.1f}",
            f"{sum(point.memory_mb.values()):.0f}",
            f"{point.p50_ms:.1f}",
            f"{point.p99_ms:.1f}{' (doubtful)' if point.doubtful else ''}",
            f"{point.not_whole:.1%}",
        )
    console = Console(width=_WIDTH)
    console.print(table)
    if any(point.doubtful for point in points):
        console.print("doubtful: the load generator was late; latencies are too high there, CPU is not")


def of_growth(growth: Growth) -> list[str]:
    """Return what the fit says, one process a sentence."""
    found = []
    for process, each in growth.cpu.items():
        terms, memory = each.coefficients, growth.memory[process].coefficients
        found.append(
            f"{process}: {terms['fixed']:.2f} ms of CPU a call, {1e5 * terms['product']:.2f} more for "
            f"100,000 products, {100 * terms['candidate']:.2f} for 100 candidates, {terms['idle']:.1f} a "
            f"second beside; {memory['fixed']:.0f} MB and {1e5 * memory['product']:.0f} for 100,000 products "
            f"(mean error {each.error:.0%} of CPU, {growth.memory[process].error:.0%} of memory)"
        )
    terms = growth.p99.coefficients
    found.append(
        f"p99: {terms['fixed']:.1f} ms, {1e5 * terms['product']:.1f} more for 100,000 products, "
        f"{100 * terms['candidate']:.1f} for 100 candidates, and {terms['wait']:.2f} times the p99 wait of "
        f"an M/M/{growth.cores} queue (mean error {growth.p99.error:.0%})"
    )
    if growth.left_out:
        found.append(f"{growth.left_out} points had too many answers that were not whole, and were left out")
    return found


def of_checks(ratios: Mapping[str, float]) -> list[str]:
    """Return a sentence for each held-out measure: predicted over measured, and how far off that is."""
    return [f"{name}: {value:.2f} ({value - 1:+.0%})" for name, value in ratios.items()]


def _of_sizes(points: Sequence[Point]) -> tuple[dict[str, float], list[str]]:
    """Return the latency of the largest catalogue over that of the smallest, at the pilots' rate, and at what
    recall."""
    pilots = sorted((each for each in points if each.name.endswith("/pilot")), key=lambda each: each.products)
    if len(pilots) < 2:
        return {}, []
    small, large = pilots[0], pilots[-1]
    over = {"p50": large.p50_ms / small.p50_ms, "p99": large.p99_ms / small.p99_ms}
    sentence = (
        f"{large.products:,} products over {small.products:,} at {small.rate:.0f} calls/s: "
        f"p50 {over['p50']:.2f} times, p99 {over['p99']:.2f} times; "
        + ", ".join(f"{name} {share:.3f} (of {small.more[name]:.3f})" for name, share in large.more.items())
    )
    return {f"scale/largest_over_smallest/{name}": round(value, 4) for name, value in over.items()}, [
        sentence
    ]


def _done_beside(busy: Point) -> str:
    if busy.name.endswith(steps.WRITING):
        return f"{busy.more['writes_per_second']:.1f} products a second written"
    return f"{busy.more['embedded_per_second']:.1f} products a second embedded anew for another generation"


def of_parts(points: Sequence[Point]) -> tuple[dict[str, float], list[str]]:
    """Return figures and sentences of sizes, clients, replicas and what goes on beside searches."""
    figures, found = _of_sizes(points)
    clients = [point for point in points if point.part == steps.CLIENTS]
    if clients:
        best = max(clients, key=lambda point: point.rate)
        found.append(
            f"a closed loop answers most, {best.rate:.1f}/s, at {best.name.rpartition('_')[2]} clients"
        )
    by_name = {point.name: point for point in points}
    for name, busy in by_name.items():
        quiet = by_name.get(f"{name.partition('/')[0]}/quiet")
        if not name.endswith((steps.WRITING, steps.BUILDING)) or quiet is None:
            continue
        over = {
            "p99_over_quiet": busy.p99_ms / quiet.p99_ms,
            "cpu_over_quiet": busy.demand_ms / quiet.demand_ms,
        }
        figures |= {f"scale/{name}/{each}": round(value, 4) for each, value in over.items()}
        found.append(
            f"{name}: {_done_beside(busy)} beside searches: p99 {over['p99_over_quiet']:.2f} times, "
            f"CPU a search, that of the rest included, {over['cpu_over_quiet']:.2f} times that without"
        )
    replicas = [point for point in points if point.part == steps.REPLICAS]
    if replicas:
        found.append(
            f"replicas share {replicas[0].cores} cores: they show memory, and that calls are spread, no speed"
        )
    return figures, found
