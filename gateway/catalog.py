"""The catalogue's writes and reads, passed on to retrieval, which holds it and checks every field."""

import grpc

from aisle.gateway.v1.gateway_pb2 import (
    DeleteProductsRequest,
    DeleteProductsResponse,
    GetProductRequest,
    GetProductResponse,
    UpsertProductsRequest,
    UpsertProductsResponse,
)
from aisle.retrieval.v1 import retrieval_pb2
from gateway.backends import Backends
from gateway.notes import Notes
from gateway.validation import check_id
from runtime.serving.errors import NotFound, Violations, from_rpc_error
from runtime.state.review_counts import ReviewCounts


async def upsert_products(backends: Backends, request: UpsertProductsRequest) -> UpsertProductsResponse:
    """Write products; raises InvalidArgument with the fields retrieval refuses, or Unavailable."""
    try:
        answer = await backends.upsert_products(
            retrieval_pb2.UpsertProductsRequest(products=request.products)
        )
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "retrieval") from error
    return UpsertProductsResponse(upserted=answer.upserted)


async def delete_products(backends: Backends, request: DeleteProductsRequest) -> DeleteProductsResponse:
    """Delete products; raises InvalidArgument with the fields retrieval refuses, or Unavailable."""
    try:
        answer = await backends.delete_products(retrieval_pb2.DeleteProductsRequest(ids=request.ids))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "retrieval") from error
    return DeleteProductsResponse(deleted=answer.deleted)


async def get_product(
    backends: Backends, reviews: ReviewCounts, request: GetProductRequest
) -> GetProductResponse:
    """Read one product and what reviews say of it; raises NotFound when the catalogue does not hold it."""
    violations = Violations()
    check_id(violations, "id", request.id)
    violations.raise_if_any()
    notes = Notes()
    try:
        with notes.clock.stage("products"):
            answer = await backends.get_products(retrieval_pb2.GetProductsRequest(ids=[request.id]))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "retrieval") from error
    if not answer.products:
        raise NotFound(f"the catalogue holds no product {request.id!r}")
    return GetProductResponse(
        product=answer.products[0], info=notes.info(), reviews=reviews.summary(request.id)
    )
