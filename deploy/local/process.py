"""One process of a stack: started with its log in a file, waited for, signalled and stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.programs import HOST, Listening, Program, StackError

REPOSITORY = Path(__file__).resolve().parents[2]

_POLL_SECONDS = 0.05
_TAIL_LINES = 15


class StackProcess:
    """A running program; its standard output and error are appended to `log`."""

    def __init__(self, program: Program, listening: Listening, flags: Sequence[str], log: Path) -> None:
        self.program = program
        self.listening = listening
        self._flags = flags
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; it is not ready yet."""
        ports = ("--port", str(self.listening.port), "--metrics-port", str(self.listening.metrics_port))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program.module, "--host", HOST, *ports, *self._flags],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C reaches whoever runs the stack, who stops it in order
            )

    def wait_until_serving(self, until: float) -> None:
        """Wait for health to say SERVING; raises StackError at the `time.monotonic()` instant `until`."""
        while not self._is_serving():
            self.require_alive()
            if time.monotonic() > until:
                raise StackError(f"{self.program.name} is not ready in time; {self._tail()}")
            time.sleep(_POLL_SECONDS)

    def require_alive(self) -> None:
        """Raise StackError with the end of its log when the process has ended."""
        if self._process is None:
            raise StackError(f"{self.program.name} is not running")
        code = self._process.poll()
        if code is not None:
            raise StackError(f"{self.program.name} ended with status {code}; {self._tail()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the running process."""
        self.require_alive()
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask the process to drain and end; a frozen one is woken up for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGCONT)

    def wait_until_stopped(self, seconds: float) -> None:
        """Wait for the end; kill the process when it takes longer."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_serving(self) -> bool:
        try:
            with socket.create_connection((HOST, self.listening.port), timeout=1):
                pass
        except OSError:
            return False
        with grpc.insecure_channel(self.listening.address) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            try:
                answer = check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"the end of {self._log}:", *lines])
