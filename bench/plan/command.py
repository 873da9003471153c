"""`python -m bench plan`: reads what bench-scale measured, checks the fit, and prints a plan."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine, report, values
from bench.plan import manifests
from bench.plan.capacity import OWNERS, Assumptions, Goal, Plan, plan
from bench.scale import growth
from bench.scale.growth import Growth
from bench.scale.points import Point, read
from bench.scale.report import of_checks

_WIDTH = 110


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    known = Assumptions()
    parser.add_argument("--rate", type=values.positive, required=True, help="searches a second")
    parser.add_argument("--products", type=_products, required=True, help="products of the catalogue")
    parser.add_argument("--p99-ms", type=values.positive, required=True, help="the bound that p99 must keep")
    parser.add_argument("--candidates", type=_candidates, default=200, help="candidates of an answer")
    parser.add_argument(
        "--cores-per-process",
        type=values.positive,
        default=known.cores_per_process,
        help="cores that one process can keep busy",
    )
    parser.add_argument(
        "--least-replicas", type=values.processes, default=known.least_replicas, help="of what keeps nothing"
    )
    parser.add_argument(
        "--memory-margin",
        type=values.share,
        default=known.memory_margin,
        help="of a limit over what is expected",
    )
    parser.add_argument(
        "--measured", type=Path, default=Path("results/bench-scale.json"), help="what bench-scale wrote"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/plan.json"), help="the figures; patches go beside as YAML"
    )


def run(options: argparse.Namespace) -> int:
    """Print and write the plan; raises PointsError, GrowthError and ImpossibleGoal."""
    points, told = read(options.measured)
    grown = growth.fit(points)
    goal = Goal(options.rate, options.products, options.p99_ms, options.candidates)
    assumed = Assumptions(options.cores_per_process, options.least_replicas, options.memory_margin)
    checks = growth.checked(grown, points)
    for sentence in _origin(told) + _beyond(points, goal) + _assumptions(grown, assumed):
        print(sentence)
    print("checked on points that were not fitted, predicted over measured:")
    for sentence in of_checks(checks):
        print(f"  {sentence}")
    found = plan(grown, goal, assumed)
    Console(width=_WIDTH).print(_table(found))
    print(
        f"{found.cores:.1f} cores and {found.memory_mb / 1000:.1f} GB in all; expected p99 "
        f"{found.p99_ms:.0f} ms with {found.utilisation:.0%} of the cores busy"
    )
    origin = f"{goal.rate:g} searches/s, {goal.products:,} products, p99 under {goal.p99_ms:g} ms"
    patches = options.out.with_suffix(".yaml")
    facts: dict[str, Any] = {"commit": machine.commit(), "machine": machine.machine()}
    measured = {"commit": told["commit"], "machine": told["machine"]}
    contents = {
        "figures": found.figures() | checks,
        **facts,
        "measured": measured,
        "settings": report.settings(options),
    }
    report.write(options.out, contents)
    patches.write_text(manifests.text(found, f"{origin}; from {told['commit']}"), encoding="utf-8")
    print(f"written to {options.out}; patches of the Kubernetes overlay in {patches}:\n")
    print(patches.read_text(encoding="utf-8"))
    return 0


def _origin(told: Mapping[str, Any]) -> list[str]:
    where, here = told["machine"], machine.machine()
    found = [f"measured on {where['processor']}, {where['cores']} cores, commit {told['commit']}"]
    if (where["processor"], where["cores"]) != (here["processor"], here["cores"]):
        found.append(
            f"WARNING: this machine is another ({here['processor']}, {here['cores']} cores): cores of "
            "the plan are cores of the measured kind"
        )
    if told["commit"] != machine.commit():
        found.append(
            f"WARNING: this checkout is {machine.commit()}; `make bench-scale` measures it as it is now"
        )
    return found


def _beyond(points: Sequence[Point], goal: Goal) -> list[str]:
    used = [point for point in points if point.part == "load" and not point.held_out]
    found = []
    for name, value in (("products", goal.products), ("candidates", goal.candidates)):
        known = [getattr(point, name) for point in used]
        if not min(known) <= value <= max(known):
            found.append(
                f"WARNING: {value:,} {name} are outside of what was measured ({min(known):,} to "
                f"{max(known):,}): extrapolated"
            )
    return found


def _assumptions(grown: Growth, assumed: Assumptions) -> list[str]:
    return [
        "assumed:",
        f"  every query is new (no cache helps) and asks for all it can; one core does what one of the "
        f"{grown.cores} measured did",
        f"  a process keeps at most {assumed.cores_per_process:g} cores busy (--cores-per-process); "
        f"{' and '.join(f'{process} owns {what}' for process, what in OWNERS.items())}: one process each",
        f"  p99 waits as in an M/M/{grown.cores} queue, whatever the number of cores: more of them wait less",
        f"  no core is busier than {grown.most_utilised:.0%}, the most that was measured",
        f"  of what keeps nothing at least {assumed.least_replicas} (--least-replicas): one may be lost",
        f"  limits of memory lie {assumed.memory_margin:.0%} above what is expected (--memory-margin)",
    ]


def _table(found: Plan) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("process", no_wrap=True)
    for name in ("replicas", "cores each", "MB each", "limit MB each"):
        table.add_column(name, justify="right")
    for need in found.needs:
        numbers = (f"{need.cores:.2f}", f"{need.memory_mb:.0f}", f"{need.memory_limit_mb:.0f}")
        table.add_row(need.process, str(need.replicas), *numbers)
    return table


def _products(text: str) -> int:
    return values.integer(text, 1, 1_000_000_000)


def _candidates(text: str) -> int:
    return values.integer(text, 50, 1000)
