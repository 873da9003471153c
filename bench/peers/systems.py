"""The systems that are compared: how each starts, and how it is asked."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.peers.clients import AskError, Client, Json, OpenInference, Understanding
from bench.peers.environments import PeerError, ours, python, variables
from bench.peers.servers.encoder import MAX_BATCH, MODEL, PORT

_START_SECONDS = 90.0
_STOP_SECONDS = 10.0
_RUNTIME = ("onnxruntime==1.31.1", "tokenizers==0.22.2")
_SERVERS = "bench.peers.servers"


@dataclass(frozen=True)
class Launch:
    """What a system needs to know: its interpreter, model store, model version, ports, a scratch folder."""

    python: Path
    models: Path
    version: Path
    port: int
    spare_ports: Sequence[int]
    scratch: Path


@dataclass(frozen=True)
class System:
    """A served encoder: `packages` of its own environment (none: this one's), its command and its client."""

    name: str
    packages: Sequence[str]
    command: Callable[[Launch], list[str]]
    client: Callable[[int], Client]


def _ours(launch: Launch) -> list[str]:
    metrics = str(launch.spare_ports[0])
    flags = ["--host", "127.0.0.1", "--port", str(launch.port), "--metrics-port", metrics]
    # Every query is read by the model: the peers remember none.
    flags += ["--provider", "cpu", "--remembered-queries", "0"]
    # Nor do they refuse any, however many wait.
    flags += ["--min-concurrent-rpcs", "256"]
    return ["-m", "services.intent", *flags, "--models", str(launch.models)]


def _plain(_: Launch) -> list[str]:
    return ["-m", f"{_SERVERS}.plain_grpc"]


def _mosec(launch: Launch) -> list[str]:
    return ["-m", f"{_SERVERS}.mosec_http", "--address", "127.0.0.1", "--port", str(launch.port)]


def _mlserver(launch: Launch) -> list[str]:
    http, metrics = launch.spare_ports
    server = {"host": "127.0.0.1", "grpc_port": launch.port, "http_port": http, "metrics_port": metrics}
    model = {
        "name": "intents",
        "implementation": f"{_SERVERS}.mlserver_runtime.Intents",
        "max_batch_size": MAX_BATCH,
        "max_batch_time": 0.001,
    }
    for name, settings in (("settings", server), ("model-settings", model)):
        file = launch.scratch / f"{name}.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
    return ["-c", "from mlserver.cli import main; main()", "start", str(launch.scratch)]


def _bentoml(launch: Launch) -> list[str]:
    service = f"{_SERVERS}.bentoml_service:Intents"
    return ["-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(launch.port)]


SYSTEMS = (
    System("aisle", (), _ours, Understanding),
    System("plain-grpc", (), _plain, Understanding),
    System("mosec", ("mosec==0.9.8", *_RUNTIME), _mosec, partial(Json, path="/inference", many=False)),
    System("mlserver", ("mlserver==1.7.1", "uvloop==0.21.0", *_RUNTIME), _mlserver, OpenInference),
    System("bentoml", ("bentoml==1.4.40", *_RUNTIME), _bentoml, partial(Json, path="/intents", many=True)),
)


def interpreter(system: System, folder: Path) -> Path:
    """Return the system's Python, its environment made under `folder` when it is absent; raises PeerError."""
    return python(folder, system.name, system.packages) if system.packages else ours()


@asynccontextmanager
async def served(system: System, executable: Path, models: Path, version: Path) -> AsyncIterator[Client]:
    """Start the system, yield a client once it answers, and stop all its processes.

    Raises PeerError with the end of its log when it does not answer in time.
    """
    port, *spare = _free_ports(3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        command = system.command(Launch(executable, models, version, port, spare, folder))
        peer = variables(**{MODEL: str(version), PORT: str(port)})
        process = _start([str(executable), *command], peer, folder / "log")
        client = system.client(port)
        try:
            await _until_it_answers(system, client, process, folder / "log")
            yield client
        finally:
            await client.close()
            _stop(process)


async def _until_it_answers(
    system: System, client: Client, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            return await client.ask("black summer t-shirt")
        except AskError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise PeerError(
                    f"{system.name} does not answer ({error}); its log ends:\n{_tail(log)}"
                ) from error
        await asyncio.sleep(0.1)


def _start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # so that all its processes can be stopped together
        )


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop the process and those it started."""
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # the whole group is killed next
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # all have ended
    process.wait()


def _free_ports(count: int) -> list[int]:
    # All are held until all are known, so that none is given twice.
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
