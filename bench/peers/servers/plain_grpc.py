"""A grpc.aio handler as most people write it: each request runs the model where it is received."""

import asyncio
import os
from typing import Any

import grpc

from aisle.intent.v1.intent_pb2 import LabelProbability, Understanding, UnderstandRequest, UnderstandResponse
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer, add_IntentServiceServicer_to_server
from bench.peers.servers.encoder import PORT, Encoder

# The servicer's other methods answer UNIMPLEMENTED, as generated.
_Servicer: Any = IntentServiceServicer


class Plain(_Servicer):
    """Answers with the intents alone."""

    def __init__(self) -> None:
        self._encoder = Encoder.of_environment()

    async def Understand(self, request: UnderstandRequest, context: Any) -> UnderstandResponse:
        """Run the model on one query."""
        (row,) = self._encoder([request.query])
        intents = [LabelProbability(label=str(place), probability=value) for place, value in enumerate(row)]
        return UnderstandResponse(understanding=Understanding(intents=intents))


async def serve() -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    add_IntentServiceServicer_to_server(Plain(), server)
    server.add_insecure_port(f"127.0.0.1:{os.environ[PORT]}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
