"""Runs Aisle on this machine.

python -m deploy.local serve                 in the foreground, until Ctrl-C
python -m deploy.local run -- CMD…           while CMD runs, told of the addresses by its environment
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.local.programs import StackError
from deploy.local.stack import Stack

_POLL_SECONDS = 0.2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen command and return the process's exit status."""
    options = _parse(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.command == "run":
            _require_program(options.program[0])
        with Stack(options.models, options.state, ports=options.ports) as stack:
            if (status := _load(stack, options)) != 0:
                return status
            if options.command == "serve":
                return _serve(stack)
            return _call(options.program, _environment(stack))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if options.command == "serve" else 130


def _serve(stack: Stack) -> int:
    for name, address in stack.addresses.items():
        print(f"{name:<9} {address}   metrics http://{stack.metrics[name]}/metrics")
    print("serving; Ctrl-C stops it", flush=True)
    while True:
        stack.require_alive()
        time.sleep(_POLL_SECONDS)


def _load(stack: Stack, options: argparse.Namespace) -> int:
    """Load the catalogue and the reviews that were given; return the first status that is not 0."""
    for command, path, notes in (
        ("load", options.catalog, "load.json"),
        ("load-reviews", options.reviews, "load-reviews.json"),
    ):
        if path is not None:
            load = [
                sys.executable,
                "-m",
                "catalog",
                command,
                str(path),
                "--state",
                str(options.state / notes),
            ]
            if (status := _call(load, _environment(stack))) != 0:
                return status
    return 0


def _call(program: Sequence[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(program, env=environment)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _require_program(name: str) -> None:
    if shutil.which(name) is None:
        raise StackError(f"there is no program {name!r} to run; check its name and PATH")


def _environment(stack: Stack) -> dict[str, str]:
    metrics = {f"AISLE_METRICS_{name.upper()}": address for name, address in stack.metrics.items()}
    return os.environ | {"AISLE_GATEWAY": stack.gateway} | metrics


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Run Aisle on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve in the foreground until Ctrl-C")
    run = commands.add_parser("run", help="serve while a command runs, and return its exit status")
    for command, ports in ((serve, "default"), (run, "auto")):
        command.add_argument("--models", type=Path, default=Path("models"), help="the model store")
        command.add_argument(
            "--state", type=Path, default=Path("state/local"), help="folder of the catalogue, events and logs"
        )
        command.add_argument(
            "--ports",
            choices=("auto", "default"),
            default=ports,
            help="free ports, or 50050-50053 and 9100-9103",
        )
        command.add_argument(
            "--catalog", type=Path, help="a catalogue to load first (python -m catalog load)"
        )
        command.add_argument(
            "--reviews", type=Path, help="reviews to record then (python -m catalog load-reviews)"
        )
    run.add_argument(
        "program", nargs="+", metavar="CMD", help="the command, after --; AISLE_GATEWAY names the gateway"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
