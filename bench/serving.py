"""Stacks that the benchmark serves itself: each a process of its own, started and ended from here."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 180.0
_STOP_SECONDS = 60.0
_LISTENING = re.compile(r"^(\w+)\s+(\S+:\d+)\s+metrics http://(\S+)/metrics$")


class NotServed(Exception):
    """A stack does not come up; the message says which."""


@dataclass(frozen=True)
class Served:
    """The gRPC and the /metrics addresses of a stack, by process."""

    addresses: Mapping[str, str]
    metrics: Mapping[str, str]


@contextmanager
def served(
    checkout: Path,
    models: Path,
    state: Path,
    catalog: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Serve `state` with the code of `checkout`; raises NotServed.

    `environment` holds settings of its processes, such as AISLE_REMEMBERED_QUERIES.
    """
    command = [sys.executable, "-u", "-m", "deploy.local", "serve", "--ports", "auto"]
    command += ["--models", str(models.resolve()), "--state", str(state.resolve())]
    if catalog is not None:
        command += ["--catalog", str(catalog.resolve())]
    process = subprocess.Popen(
        command,
        cwd=checkout,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"AISLE_REEMBED": "true"} | dict(environment or {}),
        start_new_session=True,  # Ctrl-C ends the measuring, then this
    )
    late = threading.Timer(_READY_SECONDS, process.terminate)
    late.start()
    try:
        listening = _listening(process, checkout)
        late.cancel()
        yield listening
    finally:
        late.cancel()
        _end(process)


def _listening(process: subprocess.Popen[str], checkout: Path) -> Served:
    addresses, metrics = {}, {}
    assert process.stdout is not None
    for line in process.stdout:
        if found := _LISTENING.match(line.strip()):
            addresses[found[1]], metrics[found[1]] = found[2], found[3]
        if line.startswith("serving"):
            return Served(addresses, metrics)
    raise NotServed(f"the stack of {checkout} did not come up within {_READY_SECONDS:g} s; see above")


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
