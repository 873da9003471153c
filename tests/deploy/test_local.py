"""The launcher of a stack on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local.programs import PROGRAMS, StackError, choose_ports
from deploy.local.stack import Stack
from tests.conftest import REPOSITORY

# Searches once through the gateway that its environment names, and reads every process's metrics.
_CLIENT = """
import os, sys, urllib.request, grpc
from aisle.gateway.v1.gateway_pb2 import SearchRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
with grpc.insecure_channel(os.environ["AISLE_GATEWAY"]) as channel:
    GatewayServiceStub(channel).Search(SearchRequest(query="shoe"), timeout=20)
for name in ("GATEWAY", "INTENT", "RETRIEVAL", "RANKING"):
    urllib.request.urlopen(f"http://{os.environ['AISLE_METRICS_' + name]}/metrics", timeout=5).read()
sys.exit(7)
"""


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local", *arguments]


def _folders(models: Path, state: Path) -> tuple[str, ...]:
    return "--models", str(models), "--state", str(state)


def test_run_tells_the_command_the_addresses_and_returns_its_status(
    models_root: Path, tmp_path: Path
) -> None:
    run = _command("run", *_folders(models_root, tmp_path), "--", sys.executable, "-c", _CLIENT)
    done = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 7, done.stderr


def test_serve_prints_the_addresses_and_stops_everything_on_ctrl_c(models_root: Path, tmp_path: Path) -> None:
    serve = _command("serve", "--ports", "auto", *_folders(models_root, tmp_path))
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(serve, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    addresses = [process.stdout.readline().split()[1] for _ in PROGRAMS]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    for address in addresses:
        host, port = address.split(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0


def test_process_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    start = time.monotonic()
    with (
        pytest.raises(
            StackError, match=r"ranking ended with status 2; the end of .*ranking.log:[^$]*make models"
        ),
        Stack(tmp_path / "no models", tmp_path / "state", processes=("ranking",)),
    ):
        pass
    assert time.monotonic() - start < 30


def test_command_that_does_not_exist_is_refused_before_anything_starts(tmp_path: Path) -> None:
    run = _command("run", *_folders(tmp_path, tmp_path), "--", "no-such-command")
    done = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "there is no program 'no-such-command' to run; check its name and PATH\n"


def test_taken_default_port_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", PROGRAMS[0].port))
        except OSError:
            pass  # somebody else holds it, which serves as well
        else:
            taken.listen()
        with pytest.raises(StackError, match=r"port \d+, wanted for \w+, is in use; .*--ports auto"):
            choose_ports(PROGRAMS, "default")


def test_chosen_ports_are_all_different() -> None:
    chosen = choose_ports(PROGRAMS, "auto").values()
    assert len({port for each in chosen for port in (each.port, each.metrics_port)}) == 2 * len(PROGRAMS)
