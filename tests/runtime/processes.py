"""Starts a real process and waits for its `serving` log line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import REPOSITORY


@dataclass
class Running:
    """A process that serves: its address, the port of its metrics, and the process itself."""

    address: str
    metrics_port: int
    process: "subprocess.Popen[str]"


def command(*arguments: str) -> "subprocess.Popen[str]":
    """Start `python -m arguments…` from the repository."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """Run `python -m arguments…` until the block ends."""
    process = command(*arguments)
    try:
        serving = _wait_until_serving(process)
        yield Running(serving["address"], serving["metrics_port"], process)
    finally:
        process.kill()
        process.communicate()


def _wait_until_serving(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if '"event": "serving"' in line:
            return dict(json.loads(line))
    raise AssertionError("the process ended before it served:\n" + "".join(seen))
