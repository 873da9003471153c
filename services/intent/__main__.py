"""`python -m services.intent`: the process that understands queries."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aisle.intent.v1.intent_pb2_grpc import add_IntentServiceServicer_to_server
from runtime.inference.store import ModelStore
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from runtime.spelling.chinese import read_tables
from services.intent.model import IntentModel
from services.intent.service import IntentServicer
from services.intent.settings import IntentSettings

SERVICE = "aisle.intent.v1.IntentService"


@asynccontextmanager
async def build(settings: IntentSettings) -> AsyncIterator[Sequence[Endpoint]]:
    """Load and warm up the model; yield the service."""
    model = IntentModel.open(ModelStore(settings.models), settings)
    try:
        model.warm_up()
        read_tables()
        servicer = IntentServicer(model, settings.remembered_queries)
        yield [Endpoint(SERVICE, partial(add_IntentServiceServicer_to_server, servicer))]
    finally:
        await model.close()


if __name__ == "__main__":
    chosen = load(IntentSettings)
    main("intent", chosen, partial(build, chosen))
