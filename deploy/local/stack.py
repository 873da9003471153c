"""A stack: the three services and the gateway on loopback, started and stopped together."""

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from deploy.local.process import StackProcess
from deploy.local.programs import NAMES, PROGRAMS, Ports, Program, choose_ports

_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0


class Stack:
    """Four processes that share one folder of models and one of state; logs go to `<state>/logs`.

        with Stack(models=Path("models"), state=Path("state/demo")) as stack:
            channel = grpc.insecure_channel(stack.gateway)

    `processes` names those to start; `flags` adds flags to a process by its name. Raises StackError with the
    end of the log when a process does not become ready.
    """

    def __init__(
        self,
        models: Path,
        state: Path,
        *,
        ports: Ports = "auto",
        processes: Sequence[str] = NAMES,
        flags: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._models = models.resolve()
        self._state = state.resolve()
        self._ports: Ports = ports
        self._chosen = [program for program in PROGRAMS if program.name in processes]
        self._flags = flags or {}
        self._processes: dict[str, StackProcess] = {}

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every process and wait until all serve."""
        logs = self._state / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        # Addresses must be known before any process starts: the gateway is told those of the services.
        listening = choose_ports(PROGRAMS if self._ports == "auto" else self._chosen, self._ports)
        addresses = {program.name: f"127.0.0.1:{program.port}" for program in PROGRAMS}
        addresses |= {name: each.address for name, each in listening.items()}
        for program in self._chosen:
            flags = [*self._flags_of(program, addresses), *self._flags.get(program.name, ())]
            process = StackProcess(program, listening[program.name], flags, logs / f"{program.name}.log")
            self._processes[program.name] = process
        # The gateway comes last: started beside the services it would find them gone, and wait before it
        # tries to connect again.
        for group in reversed(self._gateway_and_services()):
            for process in group:
                process.start()
            until = time.monotonic() + _READY_SECONDS
            for process in group:
                process.wait_until_serving(until)

    def stop(self) -> None:
        """Stop the gateway, then the services; what does not end in time is killed."""
        for group in self._gateway_and_services():
            for process in group:
                process.ask_to_stop()
            for process in group:
                process.wait_until_stopped(_STOP_SECONDS)
        self._processes.clear()

    def kill(self, name: str) -> None:
        """End a process at once (SIGKILL), as a crash would."""
        self._processes[name].kill()

    def freeze(self, name: str) -> None:
        """Stop a process from running (SIGSTOP): its connections stay open and nothing answers."""
        self._processes[name].signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process run again (SIGCONT)."""
        self._processes[name].signal(signal.SIGCONT)

    def restart(self, name: str) -> None:
        """Start a killed process again at its old address and wait until it serves."""
        self._processes[name].start()
        self._processes[name].wait_until_serving(time.monotonic() + _READY_SECONDS)

    def require_alive(self) -> None:
        """Raise StackError with the end of its log when a process has ended."""
        for process in self._processes.values():
            process.require_alive()

    @property
    def gateway(self) -> str:
        """Address of the gateway, host:port."""
        return self.addresses["gateway"]

    @property
    def addresses(self) -> dict[str, str]:
        """The gRPC address of each process, host:port, by name."""
        return {name: process.listening.address for name, process in self._processes.items()}

    @property
    def metrics(self) -> dict[str, str]:
        """The address of each process's /metrics, host:port, by name."""
        return {name: process.listening.metrics_address for name, process in self._processes.items()}

    def _gateway_and_services(self) -> tuple[list[StackProcess], list[StackProcess]]:
        gateway = [process for name, process in self._processes.items() if name == "gateway"]
        services = [process for name, process in self._processes.items() if name != "gateway"]
        return gateway, services

    def _flags_of(self, program: Program, addresses: Mapping[str, str]) -> list[str]:
        flags = ["--drain-seconds", "0"]  # no load balancer has to notice first
        if program.name != "gateway":
            flags += ["--models", str(self._models)]
        if program.name in ("retrieval", "gateway"):
            flags += ["--state", str(self._state)]
        if program.name == "gateway":
            for name in ("intent", "retrieval", "ranking"):
                flags += [f"--{name}-target", addresses[name]]
        return flags
