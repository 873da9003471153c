"""What a benchmark leaves behind: a table and a JSON file."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.summary import PERCENTILES, Summary
from bench.watch import STAGES, Watched

_WIDTH = 150
# The 99.9th percentile of fewer requests is their maximum.
_ENOUGH_FOR_P999 = 1000


def settings(options: Namespace) -> dict[str, Any]:
    """Return the options of a command as JSON values."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}


def show(rows: Sequence[Summary]) -> None:
    """Print one line a rate, and what must be known to read them."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("calls", no_wrap=True)
    for name in ("offered/s", "achieved/s", "requests", *(f"{name} ms" for name, _ in PERCENTILES), "max ms"):
        table.add_column(name, justify="right")
    for name in ("errors", "late", "degraded", "send lag p99 ms"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row.kind} {row.name}",
            f"{row.offered:.1f}",
            f"{row.achieved:.1f}",
            str(row.requests),
            *(f"{value:.1f}" for value in row.latencies_ms.values()),
            ", ".join(f"{code} {many}" for code, many in row.errors.items()) or "0",
            str(row.late),
            ", ".join(f"{stage} {share:.1%}" for stage, share in row.degraded.items()) or "0",
            f"{row.lag_p99_ms:.1f}{' (doubtful)' if row.doubtful else ''}",
        )
    console = Console(width=_WIDTH)
    console.print(table)
    for line in _cautions(rows):
        console.print(line)


def show_stages(watched: Mapping[str, Watched]) -> None:
    """Print mean milliseconds of each stage and CPU milliseconds of each process by rate, if any."""
    if not watched:
        return
    processes = list(dict.fromkeys(name for each in watched.values() for name in each.cpu_ms))
    table = Table(
        box=None, padding=(0, 1), header_style="dim", title="mean ms for each call", title_justify="left"
    )
    for name in ("rate", *STAGES, *(f"CPU {each}" for each in processes)):
        table.add_column(name, justify="right", no_wrap=True)
    for rate, each in watched.items():
        stages = [each.stages_ms.get(stage) for stage in STAGES]
        cpu = [each.cpu_ms.get(name) for name in processes]
        table.add_row(rate, *("–" if value is None else f"{value:.2f}" for value in [*stages, *cpu]))
    console = Console(width=_WIDTH)
    console.print(table)
    console.print("intent and retrieval run beside each other, so stages may add up to more than the latency")


def watched_figures(watched: Mapping[str, Watched]) -> dict[str, float]:
    """Return the figures of stages and processes by "watch/<rate>/<measure>"."""
    found: dict[str, float] = {}
    for rate, each in watched.items():
        measures = {f"{stage}_mean_ms": value for stage, value in each.stages_ms.items()}
        measures |= {f"{name}_cpu_ms": value for name, value in each.cpu_ms.items()}
        measures["cpu_ms"] = sum(each.cpu_ms.values())
        measures |= {f"degraded_{_word(key)}_share": share for key, share in each.degraded.items()}
        measures |= {f"shed_{_word(key)}_share": share for key, share in each.shed.items()}
        found |= {f"watch/{rate}/{key}": round(value, 5) for key, value in measures.items()}
    return found


def _cautions(rows: Sequence[Summary]) -> list[str]:
    lines = []
    if any(row.requests < _ENOUGH_FOR_P999 for row in rows):
        lines.append(f"p99.9 of fewer than {_ENOUGH_FOR_P999:,} requests is their maximum")
    if any(row.errors for row in rows):
        lines.append("a request without an answer counts as one that used its whole deadline")
    if any(row.doubtful for row in rows):
        lines.append(
            "doubtful, not valid: the load generator itself was late, so these latencies are too high; "
            "give it a machine or a core of its own, or more processes (--processes)"
        )
    return lines


def figures(rows: Sequence[Summary]) -> dict[str, float]:
    """Return the figures by "<kind of call>/<rate>/<measure>"."""
    found: dict[str, float] = {}
    for row in rows:
        measures = {f"{name}_ms": value for name, value in row.latencies_ms.items()}
        measures |= {f"{_word(stage)}_p50_ms": value for stage, value in row.stages_p50_ms.items()}
        measures |= {f"degraded_{_word(stage)}_share": share for stage, share in row.degraded.items()}
        measures |= {f"errors_{_word(code)}": many for code, many in row.errors.items()}
        if row.errors_p99_ms is not None:
            measures["errors_p99_ms"] = row.errors_p99_ms
        if row.shed_p99_ms is not None:
            measures["shed_p99_ms"] = row.shed_p99_ms
        measures |= {
            "asked_qps": row.rate,
            "offered_qps": row.offered,
            "achieved_qps": row.achieved,
            "goodput_qps": row.goodput,
            "degraded_goodput_qps": row.degraded_goodput,
            "mean_ms": row.mean_ms,
            "in_deadline_share": row.in_deadline_share,
            "requests": row.requests,
            "error_share": row.error_share,
            "late_answers": row.late,
            "degraded_share": row.degraded_share,
            "send_lag_p99_ms": row.lag_p99_ms,
            "doubtful": int(row.doubtful),
        }
        found |= {f"{row.kind}/{row.name}/{key}": round(value, 5) for key, value in measures.items()}
    return found


def write(path: Path, contents: Mapping[str, Any]) -> None:
    """Write a run's figures, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".partial")
    draft.write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def _word(name: str) -> str:
    return name.lower().replace("/", "_").replace(" ", "_")
