"""Starting the retrieval process for tests, and reading its answers."""

import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from aisle.retrieval.v1.retrieval_pb2 import RetrieveResponse
from aisle.retrieval.v1.retrieval_pb2_grpc import RetrievalServiceStub
from runtime.serving.channel import open_channel
from tests.retrieval.builders import product
from tests.runtime.processes import Running

PRODUCTS = [
    product("black-shirt", "Men's black cotton t-shirt for summer", zh="男士黑色纯棉短袖T恤 夏季", price=59),
    product("white-shirt", "Women's white linen shirt", zh="女士白色衬衫", rating=4.5, review_count=800),
    product("boots", "Waterproof winter hiking boots", zh="冬季防水登山靴", rating=4.8, review_count=90),
    product("drill", "Cordless drill with two batteries", zh="充电电钻 双电池"),
    product("kettle", "Electric glass kettle 1.7 l", zh="电热玻璃水壶 1.7升"),
]


def flags(models: Path, state: Path, *more: str) -> tuple[str, ...]:
    """The command line of a process with its own record on free ports."""
    common = ("--models", str(models), "--state", str(state), "--port", "0", "--metrics-port", "0")
    return ("services.retrieval", *common, "--drain-seconds", "0", *more)


@asynccontextmanager
async def stub_of(server: Running) -> AsyncIterator[Any]:
    """A client of the process."""
    async with open_channel(server.address) as channel:
        yield RetrievalServiceStub(channel)


def ids_of(answer: RetrieveResponse) -> list[str]:
    """The ids of the candidates, best first."""
    return list(answer.candidates.products.ids)


def metric_of(server: Running, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one metric by their labels, sorted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as page:
        text = page.read().decode()
    return {
        tuple(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }
