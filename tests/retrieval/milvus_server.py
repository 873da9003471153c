"""A real Milvus standalone from its wheel, on a free port, to be killed and started again.

It listens on every interface, so it runs for the length of a test module only.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from pymilvus import MilvusClient, MilvusException

_READY_SECONDS = 90.0
# Unpacks the programs and writes the configuration. Starting is done here: the wheel's own way looks for free
# ports each time, and takes others than before while the killed server's connections linger.
_UNPACK = """
import sys
import milvus
server = milvus.MilvusServer(wait_for_started=False)
server.set_base_dir(sys.argv[1])
server.config.set("proxy_port", int(sys.argv[2]))
server.config.set("common.session.ttl", 10)  # seconds after a kill until a successor may serve
server.config.resolve()
milvus._initialize_data_files(sys.argv[1])
"""


class MilvusProcess:
    """One server with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._metrics_port = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run([sys.executable, "-c", _UNPACK, str(folder), str(self._port)], check=True)

    @property
    def uri(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server, and return when it answers."""
        environment = {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._metrics_port),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(self._folder / "bin"),
        }
        with (self._folder / "logs" / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._folder / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _READY_SECONDS
        while not self._answers():
            assert time.monotonic() < until, f"Milvus does not answer; see {self._folder}/logs"
            time.sleep(0.2)

    def kill(self) -> None:
        """End it at once, as a crash would; there is no gentler end worth waiting for in a test."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            client = MilvusClient(self.uri, timeout=2)
        except MilvusException:
            return False
        try:
            client.list_collections(timeout=2)  # connecting alone may reuse a connection of before the kill
        except MilvusException:
            return False
        finally:
            client.close()
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
