"""The picture of a benchmark: latency percentiles against the offered rate."""

from collections.abc import Sequence
from pathlib import Path

from bench.summary import PERCENTILES, Summary


def draw(path: Path, rows: Sequence[Summary], caption: str) -> None:
    """Write a PNG with one line a percentile of the first kind of call in `rows`.

    Hollow marks are doubtful; `caption` says what ran where.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ordered = sorted((row for row in rows if row.kind == rows[0].kind), key=lambda row: row.offered)
    rates = [row.offered for row in ordered]
    figure, axes = plt.subplots(figsize=(7, 4.2), dpi=120)
    for name, _ in PERCENTILES:
        values = [row.latencies_ms[name] for row in ordered]
        (line,) = axes.plot(rates, values, label=name)
        for row, value in zip(ordered, values, strict=True):
            filling = "white" if row.doubtful else line.get_color()
            axes.plot(row.offered, value, marker="o", color=line.get_color(), markerfacecolor=filling)
    axes.set(
        xlabel="offered calls per second",
        ylabel="milliseconds from the intended send time",
        title=f"Whole {rows[0].kind} through the gateway",
        ylim=(0, None),
        xlim=(0, None),
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.text(0.01, 0.01, caption, fontsize=6, color="gray")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path)
    plt.close(figure)
