"""The table of a retrieval benchmark."""

from collections.abc import Mapping

from rich.table import Table

_SHOWN = ("p50_ms", "p99_ms", "recall@100", "agreement@200", "build_seconds", "rss_mb")


def table(figures: Mapping[str, float]) -> Table:
    """One line a set and system; measures that few have are told in the last column."""
    drawn = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("set", "system"):
        drawn.add_column(name, no_wrap=True)
    for name in _SHOWN:
        drawn.add_column(name, justify="right")
    drawn.add_column("more")
    for (set_name, system), measures in by_system(figures).items():
        more = (f"{name} {value:g}" for name, value in measures.items() if name not in _SHOWN)
        shown = (f"{measures[name]:g}" if name in measures else "" for name in _SHOWN)
        drawn.add_row(set_name, system, *shown, ", ".join(more))
    return drawn


def by_system(figures: Mapping[str, float]) -> dict[tuple[str, str], dict[str, float]]:
    """Return the measures of each set and system, in the order they were taken."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for name, value in figures.items():
        set_name, system, measure = name.split("/")
        found.setdefault((set_name, system), {})[measure] = value
    return found
