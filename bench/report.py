"""What a benchmark leaves behind: a table and a JSON file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.summary import PERCENTILES, Summary

_WIDTH = 150
# The 99.9th percentile of fewer requests is their maximum.
_ENOUGH_FOR_P999 = 1000


def show(rows: Sequence[Summary]) -> None:
    """Print one line a rate, and what must be known to read them."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("offered/s", "achieved/s", "requests", *(f"{name} ms" for name, _ in PERCENTILES), "max ms"):
        table.add_column(name, justify="right")
    for name in ("errors", "late", "degraded", "send lag p99 ms"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
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


def _cautions(rows: Sequence[Summary]) -> list[str]:
    lines = []
    if any(row.requests < _ENOUGH_FOR_P999 for row in rows):
        lines.append(f"p99.9 of fewer than {_ENOUGH_FOR_P999:,} requests is their maximum")
    if any(row.errors for row in rows):
        lines.append("a request without an answer counts as one that used its whole deadline")
    if any(row.doubtful for row in rows):
        lines.append(
            "doubtful: the load generator itself was late, so these latencies are too high; "
            "give it a machine or a core of its own"
        )
    return lines


def figures(rows: Sequence[Summary]) -> dict[str, float]:
    """Return the figures by "search/<rate>/<measure>"."""
    found: dict[str, float] = {}
    for row in rows:
        measures = {f"{name}_ms": value for name, value in row.latencies_ms.items()}
        measures |= {f"{_word(stage)}_p50_ms": value for stage, value in row.stages_p50_ms.items()}
        measures |= {f"degraded_{_word(stage)}_share": share for stage, share in row.degraded.items()}
        measures |= {f"errors_{_word(code)}": many for code, many in row.errors.items()}
        if row.errors_p99_ms is not None:
            measures["errors_p99_ms"] = row.errors_p99_ms
        measures |= {
            "asked_qps": row.rate,
            "offered_qps": row.offered,
            "achieved_qps": row.achieved,
            "requests": row.requests,
            "error_share": row.error_share,
            "late_answers": row.late,
            "degraded_share": row.degraded_share,
            "send_lag_p99_ms": row.lag_p99_ms,
            "doubtful": int(row.doubtful),
        }
        found |= {f"search/{row.name}/{key}": round(value, 5) for key, value in measures.items()}
    return found


def write(path: Path, contents: Mapping[str, Any]) -> None:
    """Write a run's figures, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".partial")
    draft.write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def _word(name: str) -> str:
    return name.lower().replace("/", "_")
