"""What a user had done before each request, as the gateway's profile would have told it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from aisle.catalog.v1.user_pb2 import EventType, HistoryItem, UserContext
from training.demo_shop import Request

MOST_ITEMS = 50

_Acts = dict[str, HistoryItem]  # by product, the latest acted on last


def histories(log: Iterable[Request]) -> Mapping[str, UserContext]:
    """Return the user context of every request, by request id: only what happened before it, newest first."""
    by_user: dict[str, list[Request]] = defaultdict(list)
    for request in log:
        by_user[request.user_id].append(request)
    contexts: dict[str, UserContext] = {}
    for user, requests in by_user.items():
        acts: _Acts = {}
        for request in sorted(requests, key=lambda each: (each.event_seconds, each.id)):
            newest = list(reversed(acts.values()))[:MOST_ITEMS]
            contexts[request.id] = UserContext(user_id=user, history=newest)
            _record(acts, request)
    return contexts


def _record(acts: _Acts, request: Request) -> None:
    for row, product in enumerate(request.product_ids):
        kind = _strongest(request, row)
        if kind is not None:
            before = acts.pop(product, None)
            strongest = kind if before is None else EventType.ValueType(max(kind, before.type))
            acts[product] = HistoryItem(
                product_id=product, type=strongest, event_seconds=request.event_seconds
            )


def _strongest(request: Request, row: int) -> "EventType.ValueType | None":
    if request.purchased[row]:
        return EventType.EVENT_TYPE_PURCHASE
    if request.carted[row]:
        return EventType.EVENT_TYPE_CART
    return EventType.EVENT_TYPE_CLICK if request.clicked[row] else None
