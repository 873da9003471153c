"""What a benchmark leaves behind: a table, a JSON file and a picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.summary import PERCENTILES, Summary


def show(rows: Sequence[Summary]) -> None:
    """Print one line a rate."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("offered/s", "achieved/s", "requests", *(f"{name} ms" for name, _ in PERCENTILES), "max ms"):
        table.add_column(name, justify="right")
    for name in ("errors", "degraded", "send lag p99 ms"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row.offered:.1f}",
            f"{row.achieved:.1f}",
            str(row.requests),
            *(f"{row.latencies[name]:.1f}" for name, _ in PERCENTILES),
            f"{row.latencies['max']:.1f}",
            ", ".join(f"{code} {many}" for code, many in row.errors.items()) or "0",
            ", ".join(f"{stage} {share:.1%}" for stage, share in row.degraded.items()) or "0",
            f"{row.lag_p99:.1f}{' (doubtful)' if row.doubtful else ''}",
        )
    Console(width=150).print(table)


def figures(rows: Sequence[Summary]) -> dict[str, float]:
    """Return the figures by "search/<rate>/<measure>"."""
    found: dict[str, float] = {}
    for row in rows:
        name = f"search/rate_{row.offered:.0f}"
        found |= {f"{name}/{key}_ms": round(value, 3) for key, value in row.latencies.items()}
        found |= {
            f"{name}/{key.replace('/', '_')}_p50_ms": round(value, 3) for key, value in row.stages.items()
        }
        found[f"{name}/achieved_qps"] = round(row.achieved, 3)
        found[f"{name}/error_share"] = round(row.error_share, 5)
        found[f"{name}/degraded_share"] = round(sum(row.degraded.values()), 5)
        found[f"{name}/send_lag_p99_ms"] = round(row.lag_p99, 3)
    return found


def write(path: Path, contents: Mapping[str, Any]) -> None:
    """Write a run's figures, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".partial")
    draft.write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def draw(path: Path, rows: Sequence[Summary]) -> None:
    """Draw the latency percentiles against the offered rate."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), dpi=120)
    rates = [row.offered for row in rows]
    for name, _ in PERCENTILES:
        axes.plot(rates, [row.latencies[name] for row in rows], marker="o", label=name)
    axes.set(
        xlabel="offered searches per second (Poisson)",
        ylabel="milliseconds from the intended send time",
        title="Whole search through the gateway",
        ylim=(0, None),
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
