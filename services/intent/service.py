"""IntentService over gRPC."""

from typing import Any

from aisle.intent.v1.intent_pb2 import UnderstandRequest, UnderstandResponse
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer
from runtime.observability.stages import StageClock
from services.intent.decoding import Decoder
from services.intent.model import IntentModel
from services.intent.validation import check


class IntentServicer(IntentServiceServicer):
    """Understands queries with one model."""

    def __init__(self, model: IntentModel) -> None:
        self._model = model
        self._decoder = Decoder(model.labels)

    async def Understand(self, request: UnderstandRequest, context: Any) -> UnderstandResponse:
        """Read one query; raises InvalidArgument when it is empty, too long or not text."""
        check(request)
        clock = StageClock()
        with clock.stage("intent/model"):
            read = await self._model.read(request.query)
        with clock.stage("intent/decode"):
            understanding = self._decoder.understand(request.query, read.outputs, read.offsets)
        return UnderstandResponse(
            understanding=understanding, models=[self._model.version], stages=clock.times
        )
