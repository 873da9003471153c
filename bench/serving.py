"""Stacks that the benchmark serves itself: each a process of its own, started and ended from here."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READY_SECONDS = 180.0
_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_LAST_LINES = 15
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


@dataclass(frozen=True)
class Process:
    """The gRPC and the /metrics address of one process."""

    address: str
    metrics: str


@contextmanager
def started(module: str, flags: Sequence[str], environment: Mapping[str, str]) -> Iterator[Process]:
    """Run one process of this checkout on free ports, beside a stack; raises NotServed with its last words.

    `module` is such as "gateway" or "services.intent".
    """
    ports = ["--host", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--drain-seconds", "0"]
    with tempfile.TemporaryDirectory(prefix="aisle-bench-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, *ports, *flags],
                stdout=output,
                stderr=output,
                env=os.environ | dict(environment),
                start_new_session=True,
            )
        try:
            yield _serving(process, module, log)
        finally:
            _end(process)


def _serving(process: subprocess.Popen[bytes], module: str, log: Path) -> Process:
    until = time.monotonic() + _READY_SECONDS
    while True:
        # The last line may be half written.
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        for line in lines:
            if '"event": "serving"' in line:
                told = json.loads(line)
                return Process(told["address"], f"127.0.0.1:{told['metrics_port']}")
        if process.poll() is not None or time.monotonic() > until:
            last = "\n".join(lines[-_LAST_LINES:])
            raise NotServed(f"{module} did not come up; its log ends:\n{last}")
        time.sleep(_LOOK_SECONDS)


def _listening(process: subprocess.Popen[str], checkout: Path) -> Served:
    addresses, metrics = {}, {}
    assert process.stdout is not None
    for line in process.stdout:
        if found := _LISTENING.match(line.strip()):
            addresses[found[1]], metrics[found[1]] = found[2], found[3]
        if line.startswith("serving"):
            return Served(addresses, metrics)
    raise NotServed(f"the stack of {checkout} did not come up within {_READY_SECONDS:g} s; see above")


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
