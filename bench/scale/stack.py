"""A stack under measurement: a copy of a kept catalogue, served, with gateways and replicas beside it."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import queries
from bench.connection import connect
from bench.measure import Stop, Target
from bench.mixes import Mix
from bench.scale.steps import USUAL_CANDIDATES, Size, Step
from bench.serving import NotServed, Served, served, started
from bench.whole import settled

# Every query costs what a new one costs, and nothing is judged beside them.
_ENVIRONMENT = {"AISLE_REMEMBERED_QUERIES": "0", "AISLE_REVIEW_BATCH": "0"}
_USERS = 100


@dataclass(frozen=True)
class Folders:
    """Where the models, the demo shop, the kept catalogues and the queries lie."""

    models: Path
    shop: Path
    states: Path
    queries: Path


@dataclass(frozen=True)
class Stack:
    """A served catalogue, and the calls that are made of it."""

    served: Served
    mix: Mix
    folders: Folders
    scratch: Path

    @asynccontextmanager
    async def target(self, step: Step) -> AsyncIterator[Target]:
        """Yield the gateway that a step asks; one of its own where candidates or replicas are not the usual.

        Raises NotServed and UnreachableError.
        """
        metrics = dict(self.served.metrics)
        address = self.served.addresses["gateway"]
        with ExitStack() as others:
            if step.candidates != USUAL_CANDIDATES or step.replicas > 1:
                address = await asyncio.to_thread(self._start, step, metrics, others)
            async with connect(address) as stubs:
                yield Target(address, stubs, self.mix, metrics)

    def _start(self, step: Step, metrics: dict[str, str], others: ExitStack) -> str:
        """Start replicas and a gateway, note their /metrics, and return the gateway's address."""
        targets = {name: [self.served.addresses[name]] for name in ("intent", "retrieval", "ranking")}
        models = ["--models", str(self.folders.models.resolve())]
        for number in range(2, step.replicas + 1):
            replica = others.enter_context(started(f"services.{step.replicated}", models, _ENVIRONMENT))
            targets[step.replicated].append(replica.address)
            metrics[f"{step.replicated}-{number}"] = replica.metrics
        state = tempfile.mkdtemp(prefix="gateway-", dir=self.scratch)
        flags = ["--state", state, "--candidates", str(step.candidates)]
        for name, addresses in targets.items():
            # One name of several addresses (gRPC Name Resolution, the ipv4 scheme).
            flags += [f"--{name}-target", f"ipv4:{','.join(addresses)}"]
        gateway = others.enter_context(started("gateway", flags, _ENVIRONMENT))
        metrics["gateway"] = gateway.metrics
        return gateway.address


@asynccontextmanager
async def serving(size: Size, folders: Folders, seed: int, stop: Stop) -> AsyncIterator[Stack]:
    """Yield the stack of a size once it has settled; raises NotServed, QueryFileError and UnreachableError.

    What is served is a copy: writes never reach the kept catalogue.
    """
    mix = Mix(queries.read(folders.queries), draw="cold", users=_USERS, seed=seed)
    await asyncio.to_thread(_keep, size, folders)
    with ExitStack() as running:
        copy = running.enter_context(_copied(_state(size, folders)))
        there = running.enter_context(
            served(Path.cwd(), folders.models, copy / "state", environment=_ENVIRONMENT)
        )
        stack = Stack(there, mix, folders, copy)
        async with stack.target(Step(size.name, "")) as of:
            print(f"{size.name}: settled after {await settled(of, stop):.0f} s", flush=True)
        yield stack


def _keep(size: Size, folders: Folders) -> None:
    command = [sys.executable, "-m", "bench.retrieval.kept", "--set", f"demo{size.name}"]
    command += ["--state", str(_state(size, folders)), "--models", str(folders.models)]
    command += ["--shop", str(folders.shop)]
    if subprocess.run(command, check=False).returncode:
        raise NotServed(f"the catalogue of {size.products:,} products could not be made; see above")


def _state(size: Size, folders: Folders) -> Path:
    return folders.states / f"bench-{size.name}"


@contextmanager
def _copied(state: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aisle-scale-") as folder:
        shutil.copytree(state, Path(folder) / "state")
        yield Path(folder)


def together(values: Mapping[str, float]) -> dict[str, float]:
    """Return the sums of a service's replicas, intent and intent-2, by its name."""
    found: dict[str, float] = {}
    for name, value in values.items():
        service = name.partition("-")[0]
        found[service] = found.get(service, 0.0) + value
    return found
