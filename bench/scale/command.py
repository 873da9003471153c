"""`python -m bench scale`: measures, fits, checks, draws and writes."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import machine, priority, report
from bench.scale import growth, picture
from bench.scale import report as told
from bench.scale.options import shortened
from bench.scale.points import KeptPoints, Point
from bench.scale.runs import Run
from bench.scale.steps import LOAD, Size
from bench.session import stoppable

_NOT_CIRCUMSTANCES = {"limit", "out", "command"}


def run(options: argparse.Namespace) -> int:
    """Run the command and return the exit status: 130 when it was stopped.

    Raises GrowthError, NotServed, QueryFileError, UnreachableError and ValueError.
    """
    return asyncio.run(_run(shortened(options)))


async def _run(options: argparse.Namespace) -> int:
    settings = {name: _plain(value) for name, value in vars(options).items()}
    facts = {
        "commit": machine.commit(),
        "machine": machine.machine(),
        "generator_goes_first": priority.permitted(),
    }
    circumstances = facts | {
        "settings": {name: value for name, value in settings.items() if name not in _NOT_CIRCUMSTANCES}
    }
    out: Path = options.out
    kept = KeptPoints(out.with_suffix(".points.json"), circumstances)
    if kept.forgotten:
        print(f"{kept.forgotten} points of another commit, machine or setting are measured again")
    elif len(kept):
        print(f"{len(kept)} points are there already")
    with stoppable() as stop:
        done = await Run(options, kept, stop).carry_out()
    if not done:
        told.show(list(kept))
        print(f"{len(kept)} points are kept; the same command goes on where this one ended")
        return 130 if stop() else 0
    _finish(options, list(kept), facts | {"settings": settings}, stop())
    return 0


def _finish(
    options: argparse.Namespace, points: Sequence[Point], facts: dict[str, Any], stopped: bool
) -> None:
    """Print and write what was measured and, where that is loads, what grows with what."""
    out: Path = options.out
    told.show(points)
    more, sentences = told.of_parts(points)
    figures = {name: value for point in points for name, value in point.figures().items()} | more
    where = facts["machine"]
    files = [out]
    if LOAD in options.parts:
        grown = growth.fit(points)
        ratios = growth.checked(grown, points)
        figures |= grown.figures() | ratios
        sentences = told.of_growth(grown) + sentences + told.of_checks(ratios)
        caption = (
            f"{where['processor']}, {where['cores']} cores · commit {facts['commit']} · distinct queries"
        )
        files.append(out.with_suffix(".png"))
        picture.draw(files[-1], points, grown, caption)
    print(f"{where['processor']}, {where['cores']} cores, Python {where['python']}, commit {facts['commit']}")
    for sentence in sentences:
        print(sentence)
    report.write(
        out,
        {
            "figures": figures,
            **facts,
            "findings": sentences,
            "points": [asdict(point) for point in points],
            "stopped": stopped,
        },
    )
    print(f"written to {', '.join(map(str, files))}")


def _plain(value: Any) -> Any:
    if isinstance(value, Size):
        return value.name
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float) or value is None else str(value)
