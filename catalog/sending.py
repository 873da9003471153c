"""Sends products to the gateway, and does not give up at the first refusal."""

import re
import time
from collections.abc import Sequence
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import GetProductRequest, UpsertProductsRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from catalog.mapping import CatalogError

_TIMEOUT_SECONDS = 60.0
_ATTEMPTS = 8
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_PLACE = re.compile(r"products\[(\d+)\]")


class Sender:
    """Writes batches through one gateway."""

    def __init__(self, stub: GatewayServiceStub) -> None:
        self._stub = stub

    def send(self, products: Sequence[Product]) -> dict[str, str]:
        """Write `products` durably; return the reasons of those the gateway refused, by id.

        Raises CatalogError when the gateway cannot be reached or does not take them after several attempts.
        """
        try:
            self._upsert(products)
        except grpc.RpcError as error:
            refused = _refused(error, products)
            if not refused:
                raise CatalogError(f"the gateway answered {error.code().name}: {error.details()}") from error
            return refused | self.send([each for each in products if each.id not in refused])
        return {}

    def holds(self, product_id: str) -> bool:
        """Return whether the gateway's catalogue holds a product."""
        try:
            self._stub.GetProduct(GetProductRequest(id=product_id), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise CatalogError(f"the gateway answered {error.code().name}: {error.details()}") from error
        return True

    def _upsert(self, products: Sequence[Product]) -> None:
        if not products:
            return
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._stub.UpsertProducts(UpsertProductsRequest(products=products), timeout=_TIMEOUT_SECONDS)
                return
            except grpc.RpcError as error:
                if error.code() not in _PASSING or attempt == _ATTEMPTS:
                    raise
                time.sleep(max(_retry_seconds(error), min(5.0, 0.1 * 2**attempt)))


def _refused(error: grpc.RpcError, products: Sequence[Product]) -> dict[str, str]:
    refused: dict[str, str] = {}
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return refused
    status = rpc_status.from_call(cast(Any, error))
    for detail in status.details if status else ():
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            for violation in bad.field_violations:
                place = _PLACE.match(violation.field)
                if place and int(place[1]) < len(products):
                    refused[products[int(place[1])].id] = f"{violation.field}: {violation.description}"
    return refused


def _retry_seconds(error: grpc.RpcError) -> float:
    status = rpc_status.from_call(cast(Any, error))
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return 0.0
