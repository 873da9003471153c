"""Measures our served encoder beside other Python model servers, on the same graph and cores.

    python -m bench.peers --systems aisle,plain-grpc,mosec

Each system runs as its own guide says for a CPU, with one session thread, and is started, loaded and stopped
in turn, round after round. Peers are installed into environments of their own the first time.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import machine, values
from bench.peers import report
from bench.peers.environments import PeerError
from bench.peers.runs import Contest, run
from bench.peers.systems import SYSTEMS, interpreter
from bench.queries import QueryFileError, read
from bench.report import settings as told
from bench.report import write


def main(argv: Sequence[str] | None = None) -> int:
    """Run the contest and return the process's exit status."""
    options = _parse(argv)
    try:
        version = _published(options.models / "intent")
    except FileNotFoundError as error:
        print(f"{error.filename} is not there; run `make models` first", file=sys.stderr)
        return 1
    chosen = [system for system in SYSTEMS if system.name in options.systems]
    try:
        contest = Contest(
            {system: interpreter(system, options.environments) for system in chosen},
            options.models,
            version,
            read(options.queries),
            options.rounds,
            options.seconds,
            options.seed,
        )
        outcome = asyncio.run(run(contest))
    except (PeerError, QueryFileError) as error:
        print(error, file=sys.stderr)
        return 1
    found = report.figures(outcome)
    console = Console(width=170)
    console.print(report.table(found))
    console.print(report.ratio_table(found))
    settings = told(options) | {"packages": {system.name: list(system.packages) for system in chosen}}
    settings["model"] = version.name
    about = {"commit": machine.commit(), "machine": machine.machine(), "settings": settings}
    write(options.out, {"figures": found, "rounds": outcome.rounds, **about})
    console.print(f"written to {options.out}")
    return 0


def _published(folder: Path) -> Path:
    """Return the folder of the model's current version; raises FileNotFoundError."""
    version = folder.resolve() / (folder / "current").read_text(encoding="utf-8").strip()
    (version / "manifest.json").stat()
    return version


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description="Measure our served encoder beside other Python model servers, on the same graph.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    names = [system.name for system in SYSTEMS]
    parser.add_argument(
        "--systems", type=values.names(names), default=names, help=f"of {', '.join(names)}, with commas"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--queries", type=Path, help="file of queries; the built-in ones if absent")
    parser.add_argument("--rounds", type=_rounds, default=3, help="rounds of all systems, 1 to 20")
    parser.add_argument("--seconds", type=_seconds, default=4.0, help="seconds of each load, .2 to 60")
    parser.add_argument("--seed", type=int, default=7, help="seed of the arrivals")
    parser.add_argument(
        "--environments", type=Path, default=Path(".peers"), help="where the peers are installed"
    )
    parser.add_argument("--out", type=Path, default=Path("results/bench-peers.json"), help="the figures")
    return parser.parse_args(argv)


def _rounds(text: str) -> int:
    return values.integer(text, 1, 20)


def _seconds(text: str) -> float:
    return values.between(text, 0.2, 60)


if __name__ == "__main__":
    sys.exit(main())
