"""The calls a load is made of, and how each is sent."""

import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from aisle.gateway.v1.gateway_pb2 import (
    AnswerInfo,
    RecommendRequest,
    RecordEventsRequest,
    SearchRequest,
    SearchResponse,
)
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

SEARCH, RECOMMEND, EVENTS = KINDS = ("search", "recommend", "events")
_PAGE_SIZE = 10
_MOST_SHOWN = 256


@dataclass(frozen=True)
class Call:
    """One call: its kind, the query of a search, and the user, empty for an anonymous one."""

    kind: str
    query: str
    user: str


@dataclass
class Shown:
    """Products of the latest answers: what users of a load can click on."""

    ids: deque[str] = field(default_factory=lambda: deque(["bench-product"], _MOST_SHOWN))

    def note(self, answer: SearchResponse) -> None:
        """Remember an answer's products."""
        self.ids.extend(hit.product.id for hit in answer.hits)


async def send(stub: GatewayServiceStub, call: Call, shown: Shown, seconds: float) -> AnswerInfo:
    """Send a call and return how its answer was made; raises grpc.aio.AioRpcError.

    `seconds` is how long the answer may take. Events are clicks on products that were shown.
    """
    if call.kind == SEARCH:
        request = SearchRequest(query=call.query, user_id=call.user, page_size=_PAGE_SIZE)
        answer: SearchResponse = await stub.Search(request, timeout=seconds)  # type: ignore[misc]
        shown.note(answer)
        return answer.info
    if call.kind == RECOMMEND:
        wish = RecommendRequest(user_id=call.user, page_size=_PAGE_SIZE)
        recommended = await stub.Recommend(wish, timeout=seconds)  # type: ignore[misc]
        return recommended.info  # type: ignore[no-any-return]
    await stub.RecordEvents(RecordEventsRequest(events=[_click(call, shown.ids)]), timeout=seconds)  # type: ignore[misc]
    return AnswerInfo()


def _click(call: Call, shown: Sequence[str]) -> UserEvent:
    return UserEvent(
        event_id=uuid.uuid4().hex,
        user_id=call.user,
        type=EventType.EVENT_TYPE_CLICK,
        product_id=shown[time.monotonic_ns() % len(shown)],
    )
