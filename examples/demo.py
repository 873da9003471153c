"""A walk through the gateway: searches, recommendations, feedback and similar products.

    python -m examples.demo --gateway 127.0.0.1:50050

Exits 1 when the gateway cannot be reached or gives no hits.
"""

import argparse
import os
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import grpc

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    FindSimilarRequest,
    GetProductRequest,
    Hit,
    RecommendRequest,
    RecordEventsRequest,
    SearchRequest,
    SearchResponse,
)
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from examples import printing, queries

_TIMEOUT_SECONDS = 2.0

Request_contra = TypeVar("Request_contra", contravariant=True)
Response_co = TypeVar("Response_co", covariant=True)


class _Method(Protocol[Request_contra, Response_co]):
    def __call__(self, request: Request_contra, /, *, timeout: float) -> Response_co: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the walk and return the process's exit status."""
    options = _parse(argv)
    with grpc.insecure_channel(options.gateway) as channel:
        stub = GatewayServiceStub(channel)
        try:
            return _walk(stub, queries.choose(options.catalog, options.query))
        except grpc.RpcError as error:
            print(
                f"the gateway at {options.gateway} failed: {error.code().name}: {error.details()}",
                file=sys.stderr,
            )
            return 1


def _walk(stub: GatewayServiceStub, asked: Sequence[str]) -> int:
    answers = [_search(stub, query) for query in asked]
    _compare(asked, answers)
    liked = next((answer.hits for answer in reversed(answers) if answer.hits), None)
    if liked is None:
        print(
            "no query found anything; load a catalogue first (python -m catalog load --help)", file=sys.stderr
        )
        return 1
    _feedback(stub, liked)
    _similar(stub, liked[0])
    _reviews(stub, [hit for answer in answers for hit in answer.hits])
    return 0


def _search(stub: GatewayServiceStub, query: str) -> SearchResponse:
    printing.heading(f"Search: {query}")
    answer, seconds = _timed(stub.Search, SearchRequest(query=query, page_size=5))
    printing.understanding(answer.understanding)
    printing.conditions(answer.constraints)
    printing.hits(answer.hits, answer.understanding.language)
    printing.info(answer.info, seconds)
    return answer


def _compare(asked: Sequence[str], answers: Sequence[SearchResponse]) -> None:
    if tuple(asked) != queries.DEMO_SHOP:
        return
    for first in range(0, len(asked), 2):
        chinese, english = (_ids(answer.hits) for answer in answers[first : first + 2])
        shared = len(chinese & english)
        pair = f"«{asked[first]}» and «{asked[first + 1]}»"
        print(f"\n{pair} share {shared} of their first {len(chinese)} products.")


def _feedback(stub: GatewayServiceStub, liked: Sequence[Hit]) -> None:
    user = f"demo-{uuid.uuid4().hex[:8]}"
    printing.heading(f"Recommend to {user}, of whom nothing is known")
    before, seconds = _timed(stub.Recommend, RecommendRequest(user_id=user, page_size=5))
    printing.hits(before.hits, "en")
    printing.info(before.info, seconds)

    events = [
        UserEvent(event_id=uuid.uuid4().hex, user_id=user, type=kind, product_id=hit.product.id)
        for hit in liked[:3]
        for kind in (EventType.EVENT_TYPE_CLICK, EventType.EVENT_TYPE_CART)
    ]
    recorded, seconds = _timed(stub.RecordEvents, RecordEventsRequest(events=events))
    print(f"\nRecorded {recorded.recorded} events durably in {1000 * seconds:.1f} ms; the user liked:")
    for hit in liked[:3]:
        print(f"  {printing.title(hit.product, 'en')}")

    printing.heading(f"Recommend to {user} again")
    after, seconds = _timed(stub.Recommend, RecommendRequest(user_id=user, page_size=5))
    printing.hits(after.hits, "en")
    printing.info(after.info, seconds)
    fresh = len(_ids(after.hits) - _ids(before.hits))
    print(f"\n{fresh} of {len(after.hits)} recommendations are new after the feedback.")


def _similar(stub: GatewayServiceStub, hit: Hit) -> None:
    printing.heading(f"Similar to: {printing.title(hit.product, 'en')}")
    answer, seconds = _timed(stub.FindSimilar, FindSimilarRequest(product_id=hit.product.id, page_size=5))
    printing.hits(answer.hits, "en")
    printing.info(answer.info, seconds)


def _reviews(stub: GatewayServiceStub, hits: Sequence[Hit]) -> None:
    for hit in hits:
        read, _ = _timed(stub.GetProduct, GetProductRequest(id=hit.product.id))
        if read.HasField("reviews"):
            printing.heading(f"What reviews say of: {printing.title(hit.product, 'en')}")
            printing.reviews(read.reviews)
            return
    print("\nNo review of these products is judged yet; that goes on in the background.")


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _timed(
    method: _Method[Request_contra, Response_co], request: Request_contra
) -> tuple[Response_co, float]:
    start = time.perf_counter()
    answer = method(request, timeout=_TIMEOUT_SECONDS)
    return answer, time.perf_counter() - start


def _ids(found: Sequence[Hit]) -> set[str]:
    return {hit.product.id for hit in found}


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--gateway",
        default=os.environ.get("AISLE_GATEWAY", "127.0.0.1:50050"),
        help="host:port of the gateway (default: AISLE_GATEWAY or %(default)s)",
    )
    parser.add_argument(
        "--catalog",
        type=Path,
        default=Path("data/demo_shop"),
        help="catalogue loaded, to choose queries that suit it",
    )
    parser.add_argument("--query", action="append", default=[], help="ask this instead; may be repeated")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
