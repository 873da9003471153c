"""IntentService over gRPC."""

from typing import Any

from aisle.intent.v1.intent_pb2 import UnderstandRequest, UnderstandResponse
from aisle.intent.v1.intent_pb2_grpc import IntentServiceServicer
from runtime.observability.stages import StageClock
from services.intent.model import IntentModel
from services.intent.reader import Reader
from services.intent.validation import check


class IntentServicer(IntentServiceServicer):
    """Understands queries with one model."""

    def __init__(self, model: IntentModel, remembered: int = 0) -> None:
        self._model = model
        self._reader = Reader(model, remembered)

    async def Understand(self, request: UnderstandRequest, context: Any) -> UnderstandResponse:
        """Read one query; raises InvalidArgument when it or a recent one is empty, too long or not text."""
        check(request)
        clock = StageClock()
        reading = await self._reader.read(request.query, request.user.recent_queries, clock)
        return UnderstandResponse(
            understanding=reading.understanding,
            models=[self._model.version] if reading.by_model else [],
            stages=clock.times,
            shortcut=reading.shortcut,
        )
