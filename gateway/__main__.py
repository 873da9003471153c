"""`python -m gateway`: the process a shop's back end calls."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aisle.gateway.v1.gateway_pb2_grpc import add_GatewayServiceServicer_to_server
from gateway.backends import connect
from gateway.flow import Flow
from gateway.popular import PopularList
from gateway.reviews import Reviews
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from runtime.serving.server import Endpoint, main
from runtime.settings import load
from runtime.state.sqlite import SqliteState

_SERVICE = "aisle.gateway.v1.GatewayService"
_EVENTS = "events.db"


@asynccontextmanager
async def _serving(settings: GatewaySettings) -> AsyncIterator[Sequence[Endpoint]]:
    state = SqliteState(settings.state / _EVENTS)
    try:
        async with connect(settings) as backends:
            popular = PopularList(backends, settings.popular_products)
            reviews = Reviews(
                state, backends, batch=settings.review_batch, poll_seconds=settings.review_poll_seconds
            )
            flow = Flow(
                backends,
                state,
                popular,
                settings.budget(),
                reviews=reviews.counts,
                candidates=settings.candidates,
                policy=settings.policy(),
                reranked=settings.rerank,
                shared_pass=settings.encoder_pass == "shared",
            )
            service = GatewayService(flow, state, backends, reviews)
            async with popular.refreshing(settings.popular_refresh_seconds), reviews.judging():
                yield [Endpoint(_SERVICE, partial(add_GatewayServiceServicer_to_server, service))]
    finally:
        state.close()


if __name__ == "__main__":
    settings = load(GatewaySettings)
    main("gateway", settings, partial(_serving, settings))
