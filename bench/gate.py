"""This checkout against another commit: both run side by side and are loaded in turn, in one run.

Information, not a verdict: shared machines are too noisy for one, so the exit status does not tell it. What
is compared is CPU time: counts of instructions would vary less, but need a processor's counters, which
virtual machines seldom show (`perf stat -e instructions:u true`).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.serving import served

_BEYOND = 0.05


class GateError(Exception):
    """The two checkouts cannot be compared; the message says why."""


def run(options: argparse.Namespace, compare: Callable[[], int]) -> int:
    """Serve the other commit as A and this checkout as B, run `compare`, and leave nothing behind.

    Sets what `compare` reads: the two addresses and their /metrics. Raises GateError.
    """
    ref = options.ref or _reference()
    commit = _git("rev-parse", "--short=12", "--verify", f"{ref}^{{commit}}")
    for path in (options.models, options.state):
        if not path.is_dir() and (path == options.models or options.catalog is None):
            raise GateError(f"there is no folder {path}; `make demo` makes the models and a catalogue")
    print(f"A is {ref} ({commit}), B is this checkout; both in this Python, with the same models")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aisle-gate-")))
        other = stack.enter_context(_worktree(folder / "checkout", commit))
        for name, checkout in (("a", other), ("b", Path.cwd())):
            state = folder / f"state-{name}"
            if options.state.is_dir():
                shutil.copytree(options.state, state)
            there = stack.enter_context(served(checkout, options.models, state, options.catalog))
            setattr(options, name, there.addresses["gateway"])
            setattr(options, f"metrics_{name}", there.metrics)
            options.gateway, options.metrics = there.addresses["gateway"], there.metrics
            options.retrieval_metrics = there.metrics["retrieval"]
        options.ref = f"{ref} ({commit})"
        return compare()


def marks(figures: Mapping[str, float]) -> list[str]:
    """Return a sentence for each measure of `compare/b_over_a/` that is more than 5 % off, and a last one.

    A measure is marked when its ratio is, and called sure when its whole interval is.
    """
    sentences, prefix = [], "compare/b_over_a/"
    for name, value in figures.items():
        measure = name.removeprefix(prefix)
        if measure == name or not measure.endswith("_ms") or abs(value - 1) <= _BEYOND:
            continue
        low, high = figures[f"{name}_low"], figures[f"{name}_high"]
        sure = "surely" if low > 1 + _BEYOND or high < 1 - _BEYOND else "perhaps"
        sentences.append(f"MARK {measure}: {sure} {'slower' if value > 1 else 'faster'}, {value - 1:+.1%}")
    many = sum("slower" in each for each in sentences)
    return [*sentences, f"gate: {many} measures more than {_BEYOND:.0%} slower than the other commit"]


def _reference() -> str:
    try:
        return _git("describe", "--tags", "--abbrev=0")
    except GateError:
        return "main~"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise GateError(f"git {' '.join(arguments)}: {done.stderr.strip()}; name another commit with --ref")
    return done.stdout.strip()


@contextmanager
def _worktree(folder: Path, commit: str) -> Iterator[Path]:
    _git("worktree", "add", "--detach", str(folder), commit)
    try:
        _generate(folder)
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _generate(folder: Path) -> None:
    (folder / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    # Its requirements may be newer or older than this environment: both commits run in the one that is here.
    command = ["make", "--no-print-directory", "-o", ".venv/.ready", "protos"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise GateError(f"code of {folder} cannot be generated: {done.stderr.strip()}")
