"""The gRPC face of the generations: what an operator changes in a running service."""

from typing import Any

from aisle.retrieval.v1 import generations_pb2 as messages
from aisle.retrieval.v1.generations_pb2_grpc import GenerationServiceServicer
from runtime.serving.errors import InvalidArgument
from services.retrieval.catalog import Catalog
from services.retrieval.lifecycle import Lifecycle


class GenerationServicer(GenerationServiceServicer):
    """Lists, builds, activates and drops the generations of one catalogue."""

    def __init__(self, catalog: Catalog, lifecycle: Lifecycle) -> None:
        self._catalog = catalog
        self._lifecycle = lifecycle

    async def ListGenerations(
        self, request: messages.ListGenerationsRequest, context: Any
    ) -> messages.ListGenerationsResponse:
        """List the generations."""
        return messages.ListGenerationsResponse(
            generations=self._lifecycle.generations(), products=len(self._catalog.index)
        )

    async def BuildGeneration(
        self, request: messages.BuildGenerationRequest, context: Any
    ) -> messages.BuildGenerationResponse:
        """Begin a build."""
        return messages.BuildGenerationResponse(generation=await self._lifecycle.build(request.model_version))

    async def ActivateGeneration(
        self, request: messages.ActivateGenerationRequest, context: Any
    ) -> messages.ActivateGenerationResponse:
        """Serve another generation."""
        _check_named(request.generation)
        return messages.ActivateGenerationResponse(
            generation=await self._lifecycle.activate(request.generation)
        )

    async def DropGeneration(
        self, request: messages.DropGenerationRequest, context: Any
    ) -> messages.DropGenerationResponse:
        """Delete a generation."""
        _check_named(request.generation)
        await self._lifecycle.drop(request.generation)
        return messages.DropGenerationResponse()


def _check_named(generation: str) -> None:
    if not generation:
        raise InvalidArgument({"generation": "must be a model's version or an embedding space, got none"})
