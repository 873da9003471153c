"""Entry point of the ranking process: `python -m services.ranking`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aisle.ranking.v1.ranking_pb2_grpc import add_RankingServiceServicer_to_server
from runtime.inference.store import ModelStore
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from services.ranking.cross_encoder import CrossEncoder
from services.ranking.made_up import made_up_inputs
from services.ranking.model import RankingModel
from services.ranking.request_log import RequestLog
from services.ranking.rules.live import LiveRules
from services.ranking.service import RankingService
from services.ranking.settings import RankingSettings

SERVICE = "aisle.ranking.v1.RankingService"
_WARMED_UP = (1, 200, 1000)  # candidates


@asynccontextmanager
async def build(settings: RankingSettings) -> AsyncIterator[Sequence[Endpoint]]:
    """Load the rules and the models, and warm them up; yield the service."""
    rules, store = LiveRules(settings.rules), ModelStore(settings.models)
    model = RankingModel.open(store, settings, name=settings.model)
    for rows in _WARMED_UP:
        model.predict(made_up_inputs(rows))
    cross_encoder = CrossEncoder.open(store, settings) if settings.rerank else None
    if cross_encoder is not None:
        cross_encoder.warm_up()
    log = RequestLog(settings.request_log, settings.request_log_most) if settings.request_log else None
    service = RankingService(model, settings, rules, log, cross_encoder)
    try:
        async with rules.following(settings.rules_seconds):
            yield [Endpoint(SERVICE, lambda server: add_RankingServiceServicer_to_server(service, server))]
    finally:
        if cross_encoder is not None:
            await cross_encoder.close()
        if log is not None:
            log.close()


if __name__ == "__main__":
    chosen = load(RankingSettings)
    main("ranking", chosen, lambda: build(chosen))
