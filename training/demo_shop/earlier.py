"""What users had done before the log begins, so that a shop's profile of them is not empty."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from training.demo_shop.behaviour import Appeal
from training.demo_shop.lexicon import Lexicon
from training.demo_shop.products import LOG_START
from training.demo_shop.randomness import arrays
from training.demo_shop.schema import PastEvent, User

_DAYS = 90
_FEWEST, _USUAL, _MOST = 10, 34, 50
_TYPES: tuple[Literal["click", "cart", "purchase"], ...] = ("click", "cart", "purchase")
_TYPE_SHARES = (0.62, 0.2, 0.18)


def with_history(
    lexicon: Lexicon, products: Sequence[Product], users: Sequence[User], seed: int
) -> list[User]:
    """Return the users with the events of the ninety days before the log, oldest first."""
    appeal = Appeal(lexicon, products)
    categories = np.array(["/".join(product.category_path) for product in products])
    old = np.array([product.create_time.seconds for product in products]) < LOG_START - _DAYS * 86_400
    shelves = {category: np.flatnonzero((categories == category) & old) for category in lexicon.types}
    ids = [product.id for product in products]
    return [replace(user, history=_history(appeal, shelves, ids, user, seed)) for user in users]


def _history(
    appeal: Appeal, shelves: dict[str, NDArray[np.intp]], ids: Sequence[str], user: User, seed: int
) -> tuple[PastEvent, ...]:
    """Draw categories by interest, and in each the products that the user likes best, by chance."""
    random = arrays(seed, "earlier", user.id)
    interests = {category: share for category, share in user.interests.items() if len(shelves[category])}
    if not interests:
        return ()
    count = int(np.clip(random.poisson(_USUAL), _FEWEST, _MOST))
    shares = np.array(list(interests.values()))
    drawn = random.choice(list(interests), count, p=shares / shares.sum())
    times = np.sort(random.integers(LOG_START - _DAYS * 86_400, LOG_START, count))
    kinds = random.choice(_TYPES, count, p=_TYPE_SHARES)
    return tuple(
        PastEvent(ids[_liked(appeal, shelves[category], user, random)], kind, int(seconds))
        for category, kind, seconds in zip(drawn, kinds.tolist(), times, strict=True)
    )


def _liked(appeal: Appeal, shelf: NDArray[np.intp], user: User, random: np.random.Generator) -> int:
    """Draw a product in proportion to its odds of attracting the user (the Gumbel-max trick)."""
    odds = appeal.taste(user, shelf) + appeal.rating[shelf]
    return int(shelf[np.argmax(odds + random.gumbel(size=len(shelf)))])
