"""What an evaluation prints and what it writes."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from training.evaluate.figures import Figure
from training.evaluate.significance import Difference

_WIDTH = 120  # characters, in files and pipes


def report_console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for every figure where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH)


def table(figures: Mapping[str, Figure]) -> Table:
    """One row per figure: its mean, interval, number of queries and the untrained baseline."""
    heads = ("figure", "value", "95 % interval", "queries", "untrained")
    drawn = Table(*(Column(head, no_wrap=True) for head in heads), title="evaluation")
    group = ""
    for name, figure in figures.items():
        set_name = name.split("/")[0]
        if group and set_name != group:
            drawn.add_section()
        group = set_name
        drawn.add_row(
            name,
            f"{figure.value:.4f}",
            f"{figure.low:.3f} – {figure.high:.3f}",
            str(figure.queries),
            f"{figure.baseline:.3f}" if figure.baseline is not None else "",
        )
    return drawn


def comparison_table(differences: Mapping[str, Difference]) -> Table:
    """One row per comparison: both means, their difference, its interval and p."""
    heads = ("paired over queries", "ours", "other", "difference", "95 % interval", "p")
    drawn = Table(*(Column(head, no_wrap=True) for head in heads), title="comparisons")
    for name, found in differences.items():
        drawn.add_row(
            name,
            f"{found.value:.4f}",
            f"{found.other:.4f}",
            f"{found.difference:+.4f}",
            f"{found.low:+.3f} – {found.high:+.3f}",
            f"{found.p:.4f}",
        )
    return drawn


def write(
    path: Path,
    figures: Mapping[str, Figure],
    settings: Mapping[str, object],
    baselines: Mapping[str, float],
    more: Mapping[str, object] | None = None,
) -> None:
    """Write the figures with what is known of each, and `more` beside them, as `write_record` does."""
    write_record(
        path,
        {name: figure.value for name, figure in figures.items()},
        settings,
        {
            **(more or {}),
            "intervals": {name: [figure.low, figure.high] for name, figure in figures.items()},
            "queries": {name: figure.queries for name, figure in figures.items()},
            "by_query": {name: list(figure.values) for name, figure in figures.items() if figure.values},
            "baselines": dict(baselines),
        },
    )


def write_record(
    path: Path,
    figures: Mapping[str, float],
    settings: Mapping[str, object],
    more: Mapping[str, object] | None = None,
) -> None:
    """Write figures by name, and `more` beside them, as JSON: complete or not at all."""
    record = {
        **(more or {}),
        "figures": dict(figures),
        "settings": dict(settings),
        "commit": commit(),
        "machine": machine(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def commit() -> str:
    """The commit evaluated, with "+" when files differ from it; empty outside a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, str | int]:
    """What it ran on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
