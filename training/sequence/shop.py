"""What the demo shop's users turned to, and what held-out users turned to next."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.demo_shop import DemoShop, Request, User
from training.demo_shop.schema import Split
from training.sequence.sequences import HeldOut, Sequences, number


@dataclass(frozen=True)
class Question:
    """What a held-out user had turned to, product ids oldest first, and the new product that came next.

    `seconds`: when it came, since 1970.
    """

    history: tuple[str, ...]
    target: str
    seconds: int


def learn_from(shop: DemoShop) -> Sequences:
    """Return the products that users turned to, each once, oldest first.

    Of held-out users what came before the log begins: it lies before everything that is asked of them.
    """
    requests = _by_user(shop.log)
    return number(
        [_products(user, requests[user.id] if user.split == "train" else ()) for user in shop.users]
    )


def questions(shop: DemoShop, split: Split) -> list[Question]:
    """Return every new product that a user of `split` turned to in the log, after what came before it.

    What users had done before the log begins is history only.
    """
    requests = _by_user(shop.log)
    return [each for user in shop.users if user.split == split for each in _asked(user, requests[user.id])]


def held_out(asked: Sequence[Question], ids: Sequence[str]) -> HeldOut:
    """Return questions about known products as numbers; those no model of `ids` can answer are left out."""
    numbers = {product: place for place, product in enumerate(ids, start=1)}
    histories, targets = [], []
    for each in asked:
        known = [numbers[product] for product in each.history if product in numbers]
        if known and each.target in numbers:
            histories.append(np.array(known, np.int64))
            targets.append(numbers[each.target])
    return HeldOut(tuple(histories), np.array(targets, np.int64))


def _by_user(log: Sequence[Request]) -> Mapping[str, list[Request]]:
    requests: dict[str, list[Request]] = defaultdict(list)
    for request in log:
        requests[request.user_id].append(request)
    return requests


def _products(user: User, requests: Sequence[Request]) -> list[str]:
    earlier = (event.product_id for event in user.history)
    return list(dict.fromkeys([*earlier, *(product for product, _ in _clicked(requests))]))


def _asked(user: User, requests: Sequence[Request]) -> Iterator[Question]:
    seen = dict.fromkeys(event.product_id for event in user.history)
    for product, seconds in _clicked(requests):
        if product not in seen and seen:
            yield Question(tuple(seen), product, seconds)
        seen[product] = None


def _clicked(requests: Sequence[Request]) -> Iterator[tuple[str, int]]:
    for request in sorted(requests, key=lambda each: (each.event_seconds, each.id)):
        for product, clicked in zip(request.product_ids, request.clicked, strict=True):
            if clicked:
                yield product, request.event_seconds
