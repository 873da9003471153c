"""What a user had done before each request, as the gateway's profile would have told it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from aisle.catalog.v1.user_pb2 import EventType, HistoryItem, UserContext
from training.demo_shop import PastEvent, Request, User

MOST_ITEMS = 50

_Acts = dict[str, HistoryItem]  # by product, the latest acted on last
_TYPES = {
    "click": EventType.EVENT_TYPE_CLICK,
    "cart": EventType.EVENT_TYPE_CART,
    "purchase": EventType.EVENT_TYPE_PURCHASE,
}


def histories(log: Iterable[Request], users: Mapping[str, User]) -> Mapping[str, UserContext]:
    """Return the user context of every request, by request id: only what happened before it, newest first.

    `users`, by id, bring what they had done before the log begins.
    """
    by_user: dict[str, list[Request]] = defaultdict(list)
    for request in log:
        by_user[request.user_id].append(request)
    contexts: dict[str, UserContext] = {}
    for user, requests in by_user.items():
        acts = _before(users[user].history)
        for request in sorted(requests, key=lambda each: (each.event_seconds, each.id)):
            newest = list(reversed(acts.values()))[:MOST_ITEMS]
            contexts[request.id] = UserContext(user_id=user, history=newest)
            _record(acts, request)
    return contexts


def _before(events: Iterable[PastEvent]) -> _Acts:
    acts: _Acts = {}
    for event in events:
        _act(acts, event.product_id, _TYPES[event.type], event.event_seconds)
    return acts


def _record(acts: _Acts, request: Request) -> None:
    for row, product in enumerate(request.product_ids):
        kind = _strongest(request, row)
        if kind is not None:
            _act(acts, product, kind, request.event_seconds)


def _act(acts: _Acts, product: str, kind: "EventType.ValueType", seconds: int) -> None:
    before = acts.pop(product, None)
    strongest = kind if before is None else EventType.ValueType(max(kind, before.type))
    acts[product] = HistoryItem(product_id=product, type=strongest, event_seconds=seconds)


def _strongest(request: Request, row: int) -> "EventType.ValueType | None":
    if request.purchased[row]:
        return EventType.EVENT_TYPE_PURCHASE
    if request.carted[row]:
        return EventType.EVENT_TYPE_CART
    return EventType.EVENT_TYPE_CLICK if request.clicked[row] else None
