"""The programs of a stack, and the ports they listen on."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HOST = "127.0.0.1"

Ports = Literal["auto", "default"]


class StackError(Exception):
    """The stack cannot start or lost a process; the message says why and what to do."""


@dataclass(frozen=True)
class Program:
    """One process of the stack and the ports it takes unless told otherwise."""

    name: str
    module: str
    port: int
    metrics_port: int


PROGRAMS = (
    Program("intent", "services.intent", 50051, 9101),
    Program("retrieval", "services.retrieval", 50052, 9102),
    Program("ranking", "services.ranking", 50053, 9103),
    Program("gateway", "gateway", 50050, 9100),
)
NAMES = tuple([program.name for program in PROGRAMS])


@dataclass(frozen=True)
class Listening:
    """Where one process listens."""

    port: int
    metrics_port: int

    @property
    def address(self) -> str:
        """The gRPC address."""
        return f"{HOST}:{self.port}"

    @property
    def metrics_address(self) -> str:
        """The address that serves /metrics."""
        return f"{HOST}:{self.metrics_port}"


def choose_ports(programs: Sequence[Program], ports: Ports) -> dict[str, Listening]:
    """Return the ports of each program; raises StackError when a default one is taken."""
    if ports == "auto":
        free = _free_ports(2 * len(programs))
        return {each.name: Listening(free.pop(), free.pop()) for each in programs}
    for program in programs:
        for port in (program.port, program.metrics_port):
            _require_free(program.name, port)
    return {each.name: Listening(each.port, each.metrics_port) for each in programs}


def _free_ports(count: int) -> list[int]:
    # All are held until all are known, so that none is given twice.
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _require_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise StackError(
                f"port {port}, wanted for {name}, is in use; "
                "stop the process that holds it, or give --ports auto"
            ) from error
