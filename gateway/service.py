"""GatewayService over gRPC."""

from typing import Any

from aisle.gateway.v1 import gateway_pb2 as messages
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer
from gateway import catalog, reads
from gateway.backends import Backends
from gateway.feedback import forget_user, record_events
from gateway.flow import Flow
from gateway.reviews import Reviews
from gateway.suggestions import suggest
from runtime.state.events import EventLog


class GatewayService(GatewayServiceServicer):
    """The one address a shop's back end calls."""

    def __init__(self, flow: Flow, log: EventLog, backends: Backends, reviews: Reviews) -> None:
        self._flow = flow
        self._log = log
        self._backends = backends
        self._reviews = reviews

    async def Search(self, request: messages.SearchRequest, context: Any) -> messages.SearchResponse:
        """Find products for a query, ordered for the user."""
        return await reads.search(self._flow, request)

    async def Suggest(self, request: messages.SuggestRequest, context: Any) -> messages.SuggestResponse:
        """Complete what a user has begun to type."""
        return await suggest(self._backends, self._flow.budget, request)

    async def Recommend(self, request: messages.RecommendRequest, context: Any) -> messages.RecommendResponse:
        """Recommend products to a user."""
        return await reads.recommend(self._flow, request)

    async def FindSimilar(
        self, request: messages.FindSimilarRequest, context: Any
    ) -> messages.FindSimilarResponse:
        """Find products similar to one product."""
        return await reads.find_similar(self._flow, request)

    async def RecordEvents(
        self, request: messages.RecordEventsRequest, context: Any
    ) -> messages.RecordEventsResponse:
        """Record what users did."""
        return await record_events(self._log, self._reviews, request)

    async def ForgetUser(
        self, request: messages.ForgetUserRequest, context: Any
    ) -> messages.ForgetUserResponse:
        """Forget a user."""
        return await forget_user(self._log, self._reviews, request)

    async def UpsertProducts(
        self, request: messages.UpsertProductsRequest, context: Any
    ) -> messages.UpsertProductsResponse:
        """Add or replace products."""
        return await catalog.upsert_products(self._backends, request)

    async def DeleteProducts(
        self, request: messages.DeleteProductsRequest, context: Any
    ) -> messages.DeleteProductsResponse:
        """Delete products."""
        return await catalog.delete_products(self._backends, request)

    async def GetProduct(
        self, request: messages.GetProductRequest, context: Any
    ) -> messages.GetProductResponse:
        """Read one product."""
        return await catalog.get_product(self._backends, self._reviews.counts, request)
