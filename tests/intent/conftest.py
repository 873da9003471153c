"""The intent process with the published model."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.intent.v1.intent_pb2_grpc import IntentServiceStub
from runtime.serving.channel import open_channel
from tests.runtime.processes import Running, running


@pytest.fixture(scope="module")
def server(models_root: Path) -> Iterator[Running]:
    flags = ("--models", str(models_root), "--port", "0", "--metrics-port", "0")
    with running("services.intent", *flags, "--default-deadline-seconds", "30") as process:
        yield process


@pytest.fixture
async def stub(server: Running) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield IntentServiceStub(channel)
