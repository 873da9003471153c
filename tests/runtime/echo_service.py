"""A tiny real service for tests of the runtime: its query tells it what to do.

`sleep:S` answers after S seconds, `crash` raises, `invalid` and `missing` fail in typed ways,
`time` answers the seconds left, and anything else is echoed with the request id.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aisle.intent.v1.intent_pb2 import (
    ClassifySentimentRequest,
    ClassifySentimentResponse,
    LabelProbability,
    Understanding,
    UnderstandRequest,
    UnderstandResponse,
)
from aisle.intent.v1.intent_pb2_grpc import (
    IntentServiceServicer,
    add_IntentServiceServicer_to_server,
)
from runtime.serving import deadline, request_id
from runtime.serving.errors import InvalidArgument, NotFound
from runtime.serving.server import Endpoint, ServerSettings, main
from runtime.settings import load

SERVICE = "aisle.intent.v1.IntentService"


# The servicer's other methods answer UNIMPLEMENTED, as generated.
_Servicer: Any = IntentServiceServicer


class EchoService(_Servicer):  # type: ignore[misc]
    """Does what the query says."""

    async def Understand(self, request: UnderstandRequest, context: object) -> UnderstandResponse:
        command, _, argument = request.query.partition(":")
        match command:
            case "sleep":
                await asyncio.sleep(float(argument))
            case "crash":
                raise RuntimeError("a secret that must not reach the caller")
            case "invalid":
                raise InvalidArgument({"query": "must be polite", "user.user_id": "must be known"})
            case "missing":
                raise NotFound("there is no such thing")
        label = request_id.current()
        seconds = LabelProbability(label=label, probability=min(1e6, deadline.remaining()))
        return UnderstandResponse(understanding=Understanding(intents=[seconds], language=request.query))

    async def ClassifySentiment(
        self, request: ClassifySentimentRequest, context: object
    ) -> ClassifySentimentResponse:
        raise NotFound("an echo judges no reviews")


@asynccontextmanager
async def build() -> AsyncIterator[Sequence[Endpoint]]:
    """Yield the echo endpoint; there is nothing to load."""
    yield [Endpoint(SERVICE, lambda server: add_IntentServiceServicer_to_server(EchoService(), server))]


if __name__ == "__main__":
    main("echo", load(ServerSettings), build)
