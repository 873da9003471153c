"""How each system is asked to understand one query."""

from typing import Protocol

import aiohttp
import grpc
from open_inference.grpc.protocol import InferTensorContents, ModelInferRequest, ModelInferResponse

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from aisle.intent.v1.intent_pb2_grpc import IntentServiceStub

_TIMEOUT_SECONDS = 10.0


class AskError(Exception):
    """A query was not answered, or not with the intents of one query; the message says how."""


class Client(Protocol):
    """Connections to one system; made inside a running event loop."""

    async def ask(self, query: str) -> None:
        """Return when the system has answered with intents; raises AskError."""

    async def close(self) -> None:
        """Close the connections."""


class Understanding:
    """Our IntentService, and the plain handler that serves the same contract."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._stub = IntentServiceStub(self._channel)

    async def ask(self, query: str) -> None:
        """Ask for the understanding of a query."""
        try:
            answer = await self._stub.Understand(UnderstandRequest(query=query), timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise AskError(error.code().name) from error
        if not answer.understanding.intents:
            raise AskError("an answer without intents")

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


class OpenInference:
    """The Open Inference Protocol over gRPC."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._infer = self._channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=ModelInferRequest.SerializeToString,
            response_deserializer=ModelInferResponse.FromString,
        )

    async def ask(self, query: str) -> None:
        """Ask the model `intents` for one query's row."""
        tensor = ModelInferRequest.InferInputTensor(
            name="query",
            shape=[1, 1],
            datatype="BYTES",
            contents=InferTensorContents(bytes_contents=[query.encode()]),
        )
        request = ModelInferRequest(model_name="intents", inputs=[tensor])
        try:
            answer = await self._infer(request, timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise AskError(error.code().name) from error
        if len(answer.outputs) != 1 or answer.outputs[0].shape[0] != 1:
            raise AskError(f"outputs {[list(each.shape) for each in answer.outputs]} instead of one row")

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


class Json:
    """JSON over HTTP; `many` posts a list of queries, here of one."""

    def __init__(self, port: int, path: str, *, many: bool) -> None:
        self._url = f"http://127.0.0.1:{port}{path}"
        self._many = many
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(_TIMEOUT_SECONDS), connector=aiohttp.TCPConnector(limit=0)
        )

    async def ask(self, query: str) -> None:
        """Post one query."""
        body = {"queries": [query]} if self._many else {"query": query}
        try:
            async with self._session.post(self._url, json=body) as answer:
                content = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AskError(type(error).__name__) from error
        if answer.status != 200 or not content:
            raise AskError(f"HTTP {answer.status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
