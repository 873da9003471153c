"""The picture of a retrieval benchmark: the percentiles of each system on each set."""

from collections.abc import Mapping
from pathlib import Path

from bench.retrieval.report import by_system


def draw(path: Path, figures: Mapping[str, float], caption: str) -> None:
    """Write a PNG with a bar from p50 to p99 for each set and system; `caption` says what ran where."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [
        (f"{set_name}  {system}", measures["p50_ms"], measures["p99_ms"])
        for (set_name, system), measures in by_system(figures).items()
    ]
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.28 * len(rows)), dpi=120)
    for place, (_, p50, p99) in enumerate(rows):
        axes.plot([p50, p99], [place, place], color="tab:blue", alpha=0.4, linewidth=4)
        axes.plot(p50, place, "o", color="tab:blue", label="p50" if not place else None)
        axes.plot(p99, place, "|", color="tab:red", markersize=12, label="p99" if not place else None)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="milliseconds a search, encoder excluded", title="Retrieval in process")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(frameon=False)
    figure.text(0.01, 0.01, caption, fontsize=6, color="gray")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path)
    plt.close(figure)
