"""A stack under measurement: a copy of a kept catalogue, served, with gateways and replicas beside it."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import queries
from bench.connection import connect
from bench.measure import Stop, Target
from bench.mixes import Mix
from bench.scale.builds import Built, building, with_another_version
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
    """A served catalogue, the calls made of it, and how much of what an exact search finds it finds."""

    served: Served
    mix: Mix
    folders: Folders
    scratch: Path
    recall: Mapping[str, float]
    version: str  # of the retriever beside the one that is served

    def building(self) -> AbstractAsyncContextManager[Built]:
        """Have the generation of another, equal version of the retriever built while a block runs."""
        return building(self.served.addresses["retrieval"], self.version)

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
    recall = await asyncio.to_thread(_recall, size, folders)
    with ExitStack() as running:
        copy = running.enter_context(_copied(_state(size, folders)))
        models, version = with_another_version(folders.models, copy)
        there = running.enter_context(served(Path.cwd(), models, copy / "state", environment=_ENVIRONMENT))
        stack = Stack(there, mix, folders, copy, recall, version)
        async with stack.target(Step(size.name, "")) as of:
            print(f"{size.name}: settled after {await settled(of, stop):.0f} s", flush=True)
        yield stack


def _keep(size: Size, folders: Folders) -> None:
    command = [sys.executable, "-m", "bench.retrieval.kept", "--set", f"demo{size.name}"]
    if subprocess.run([*command, *_flags(size, folders)], check=False).returncode:
        raise NotServed(f"the catalogue of {size.products:,} products could not be made; see above")


def _recall(size: Size, folders: Folders) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="aisle-scale-") as folder:
        out = Path(folder) / "recall.json"
        command = [sys.executable, "-m", "bench.retrieval.recalled", "--out", str(out)]
        if subprocess.run([*command, *_flags(size, folders)], check=False).returncode:
            raise NotServed(f"the catalogue of {size.products:,} products could not be searched; see above")
        found: dict[str, float] = json.loads(out.read_text(encoding="utf-8"))["figures"]
        return found


def _flags(size: Size, folders: Folders) -> list[str]:
    flags = {"--state": _state(size, folders), "--models": folders.models, "--shop": folders.shop}
    return [text for flag, path in flags.items() for text in (flag, str(path))]


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
