"""Requests to try rules on: those of the log of requests, or the first hits of a running gateway."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns
from aisle.catalog.v1.product_pb2 import Availability, Product
from aisle.gateway.v1.gateway_pb2 import Hit, SearchRequest, SearchResponse
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from aisle.ranking.v1.ranking_pb2 import Surface
from services.ranking.arrangement.policy import Arrangement
from services.ranking.columns import Floats, Products, read_products
from services.ranking.replaying import basis_of, inputs_of
from services.ranking.request_log import read_requests
from services.ranking.rules.applying import Situation

_TIMEOUT_SECONDS = 10.0
_MOST_HITS = 100


@dataclass(frozen=True)
class Case:
    """One request without rules: `scores` and `fused`, float64 [n], are what its order came from."""

    query: str
    situation: Situation
    products: Products
    scores: Floats
    fused: Floats
    arrangement: Arrangement
    request_id: str
    now_seconds: float


def logged_cases(path: Path) -> Iterator[Case]:
    """Yield the requests of a log of requests; raises as `read_requests` does."""
    for logged in read_requests(path):
        inputs_of(logged)  # a damaged record is no case
        basis, request, answer = basis_of(logged), logged.request, logged.response
        scores = np.full(len(basis.fused), -np.inf)  # what was hidden then has no score to come back with
        scores[list(answer.order)] = answer.scores
        situation = Situation.of(request.query, request.understanding, request.surface, basis.now_seconds)
        assert basis.products is not None
        yield Case(
            query=request.query,
            situation=situation,
            products=basis.products,
            scores=np.where(np.isfinite(scores), scores - basis.orders.added(len(scores)), -1e9),
            fused=basis.fused,
            arrangement=basis.arrangement,
            request_id=basis.request_id,
            now_seconds=basis.now_seconds,
        )


def served_cases(queries: Sequence[str], gateway: str, now_seconds: float) -> Iterator[Case]:
    """Yield the first hundred hits of each query; raises grpc.RpcError when the gateway does not answer."""
    with grpc.insecure_channel(gateway) as channel:
        stub: Any = GatewayServiceStub(channel)
        for query in queries:
            request = SearchRequest(query=query, page_size=_MOST_HITS)
            answer: SearchResponse = stub.Search(request, timeout=_TIMEOUT_SECONDS)
            if answer.hits:
                yield _served(query, answer, now_seconds)


def _served(query: str, answer: SearchResponse, now_seconds: float) -> Case:
    scores = np.array([_without_rules(hit) for hit in answer.hits])
    return Case(
        query=query,
        situation=Situation.of(query, answer.understanding, Surface.SURFACE_SEARCH, now_seconds),
        products=read_products(columns_of([hit.product for hit in answer.hits])),
        scores=scores,
        fused=np.array([hit.parts.fused for hit in answer.hits], dtype=np.float64),
        arrangement=Arrangement(),
        request_id=answer.info.request_id,
        now_seconds=now_seconds,
    )


def _without_rules(hit: Hit) -> float:
    return hit.score - sum(move.score_change for move in hit.moves)


def columns_of(products: Sequence[Product]) -> ProductColumns:
    """Return products as the columns that rules look at."""
    keys = sorted({key for product in products for key in product.attributes})
    return ProductColumns(
        ids=[product.id for product in products],
        prices=[product.price.amount if product.HasField("price") else math.nan for product in products],
        ratings=[product.rating if product.HasField("rating") else math.nan for product in products],
        review_counts=[product.review_count for product in products],
        positive_review_shares=[math.nan] * len(products),
        create_seconds=[product.create_time.seconds for product in products],
        available=[each.availability != Availability.AVAILABILITY_OUT_OF_STOCK for each in products],
        brands=_words([product.brand for product in products]),
        categories=_words(["/".join(product.category_path) for product in products]),
        attributes={key: _words([_first(product.attributes, key) for product in products]) for key in keys},
        groups=_words([product.group_id for product in products]),
    )


def _first(attributes: Mapping[str, Any], key: str) -> str:
    return str(attributes[key].values[0]) if key in attributes and attributes[key].values else ""


def _words(texts: Sequence[str]) -> DictionaryColumn:
    values = sorted(set(texts) - {""})
    place = {value: index for index, value in enumerate(values)}
    return DictionaryColumn(values=values, indices=[place.get(text, -1) for text in texts])
