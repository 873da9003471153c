"""The picture of a run: CPU, memory, latency and throughput as they grow, measured and fitted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.scale import steps
from bench.scale.growth import Growth
from bench.scale.points import Point


def draw(path: Path, points: Sequence[Point], growth: Growth, caption: str) -> None:
    """Write a PNG of four charts; held-out points are hollow, and lines are what was fitted without them."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, ((cpu, memory), (latency, clients)) = plt.subplots(2, 2, figsize=(11, 8), dpi=120)
    load = [point for point in points if point.part == steps.LOAD]
    _cpu(cpu, load, growth)
    _memory(memory, load, growth)
    _latency(latency, load, growth)
    _clients(clients, [point for point in points if point.part == steps.CLIENTS])
    for axes in (cpu, memory):
        axes.xaxis.set_major_formatter("{x:,.0f}")
    for axes in (cpu, memory, latency, clients):
        axes.grid(alpha=0.3)
        axes.set_ylim(0, None)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    figure.text(0.01, 0.01, caption, fontsize=6, color="gray")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path)
    plt.close(figure)


def _cpu(axes: Any, load: Sequence[Point], growth: Growth) -> None:
    # Drawn at the median rate: fewer calls carry more of what is done anyway.
    rate = float(np.median([point.rate for point in load]))
    across = np.linspace(0, max(point.products for point in load), 60)
    for number, many in enumerate(sorted({point.candidates for point in load})):
        colour = f"C{number}"
        line = [sum(growth.cpu_ms(products, many, rate).values()) for products in across]
        axes.plot(across, line, color=colour, label=f"{many} candidates")
        for point in (each for each in load if each.candidates == many):
            _dot(axes, point.products, sum(point.cpu_ms.values()), colour, point.held_out)
    axes.set(
        xlabel="products",
        ylabel="CPU milliseconds a call",
        title=f"CPU at {rate:.0f} calls/s (hollow: held out)",
    )


def _memory(axes: Any, load: Sequence[Point], growth: Growth) -> None:
    across = np.linspace(0, max(point.products for point in load), 60)
    for number, process in enumerate(growth.memory):
        line = [growth.memory_mb(products)[process] for products in across]
        axes.plot(across, line, color=f"C{number}", label=process)
        for point in load:
            _dot(axes, point.products, point.memory_mb[process], f"C{number}", point.held_out)
    axes.set(xlabel="products", ylabel="MB", title="Memory of one process")


def _latency(axes: Any, load: Sequence[Point], growth: Growth) -> None:
    across = np.linspace(0, growth.most_utilised, 60)
    for number, products in enumerate(sorted({point.products for point in load})):
        colour, of_size = f"C{number}", [point for point in load if point.products == products]
        demand = float(np.median([point.demand_ms for point in of_size]))
        usual = steps.USUAL_CANDIDATES
        line = [growth.p99_ms(products, usual, busy, demand) for busy in across]
        axes.plot(100 * across, line, color=colour, label=f"{products:,} products")
        for point in of_size:
            if point.candidates == usual or point.held_out:
                _dot(axes, 100 * point.utilisation, point.p99_ms, colour, point.held_out)
    axes.set(xlabel="percent of the cores that is busy", ylabel="p99 milliseconds", title="Latency")


def _clients(axes: Any, closed: Sequence[Point]) -> None:
    many = [int(point.name.rpartition("_")[2]) for point in closed]
    if many:
        axes.plot(many, [point.rate for point in closed], marker="o", color="C0")
        beside = axes.twinx()
        beside.plot(many, [point.p50_ms for point in closed], marker="o", color="C1")
        beside.set_ylim(0, None)
        beside.set_ylabel("p50 milliseconds", color="C1")
        axes.set_ylabel("calls answered per second", color="C0")
        axes.set_xscale("log", base=2)
        axes.set_xticks(many, [str(each) for each in many])
    axes.set(xlabel="clients of a closed loop", title="Calls under way")


def _dot(axes: Any, x: float, y: float, colour: str, hollow: bool) -> None:
    axes.plot(x, y, marker="o", color=colour, markerfacecolor="white" if hollow else colour, linestyle="")
