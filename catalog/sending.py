"""Sends products and reviews to the gateway, and does not give up at the first refusal."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.user_pb2 import UserEvent
from aisle.gateway.v1.gateway_pb2 import GetProductRequest, RecordEventsRequest, UpsertProductsRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from catalog.mapping import CatalogError

_TIMEOUT_SECONDS = 60.0
_ATTEMPTS = 8
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_PLACE = re.compile(r"(?:products|events)\[(\d+)\]")

Item = TypeVar("Item", bound=Message)


class Sender(ABC, Generic[Item]):
    """Writes batches through one gateway; `message` is what an item is."""

    message: type[Item]

    def __init__(self, stub: GatewayServiceStub) -> None:
        self._stub = stub

    @abstractmethod
    def identify(self, item: Item) -> str:
        """Return what an item is known by."""

    @abstractmethod
    def holds(self, item: Item) -> bool:
        """Return whether the gateway has kept an item."""

    @abstractmethod
    def _write(self, items: Sequence[Item]) -> None:
        """Write `items` in one call."""

    def send(self, items: Sequence[Item]) -> dict[str, str]:
        """Write `items` durably; return the reasons of those the gateway refused, by what they are known by.

        Raises CatalogError when the gateway cannot be reached or does not take them after several attempts.
        """
        try:
            self._insist(items)
        except grpc.RpcError as error:
            refused = self._refused(error, items)
            if not refused:
                raise _failure(error) from error
            return refused | self.send([each for each in items if self.identify(each) not in refused])
        return {}

    def _insist(self, items: Sequence[Item]) -> None:
        if not items:
            return
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._write(items)
                return
            except grpc.RpcError as error:
                if error.code() not in _PASSING or attempt == _ATTEMPTS:
                    raise
                time.sleep(max(_retry_seconds(error), min(5.0, 0.1 * 2**attempt)))

    def _refused(self, error: grpc.RpcError, items: Sequence[Item]) -> dict[str, str]:
        refused: dict[str, str] = {}
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            return refused
        status = rpc_status.from_call(cast(Any, error))
        for detail in status.details if status else ():
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                for violation in bad.field_violations:
                    place = _PLACE.match(violation.field)
                    if place and int(place[1]) < len(items):
                        reason = f"{violation.field}: {violation.description}"
                        refused[self.identify(items[int(place[1])])] = reason
        return refused


class ProductSender(Sender[Product]):
    """Writes products; one that is there already is replaced."""

    message = Product

    def identify(self, item: Product) -> str:
        """Return the product's id."""
        return item.id

    def holds(self, item: Product) -> bool:
        """Return whether the gateway's catalogue holds a product of that id."""
        try:
            self._stub.GetProduct(GetProductRequest(id=item.id), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise _failure(error) from error
        return True

    def _write(self, items: Sequence[Product]) -> None:
        self._stub.UpsertProducts(UpsertProductsRequest(products=items), timeout=_TIMEOUT_SECONDS)


class EventSender(Sender[UserEvent]):
    """Records events; one that was recorded already changes nothing."""

    message = UserEvent

    def identify(self, item: UserEvent) -> str:
        """Return the event's id."""
        return item.event_id

    def holds(self, item: UserEvent) -> bool:
        """Return whether the gateway knew the event; it does from now on."""
        try:
            answer = self._stub.RecordEvents(RecordEventsRequest(events=[item]), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise _failure(error) from error
        return answer.duplicates == 1

    def _write(self, items: Sequence[UserEvent]) -> None:
        self._stub.RecordEvents(RecordEventsRequest(events=items), timeout=_TIMEOUT_SECONDS)


def _failure(error: grpc.RpcError) -> CatalogError:
    return CatalogError(f"the gateway answered {error.code().name}: {error.details()}")


def _retry_seconds(error: grpc.RpcError) -> float:
    status = rpc_status.from_call(cast(Any, error))
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return 0.0
