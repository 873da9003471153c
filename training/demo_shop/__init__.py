"""A generated shop with known truth: bilingual products, queries, reviews, users and what they clicked.

    python -m training.demo_shop --out data/demo_shop --seed 7

The same seed gives the same bytes. `load(root)` reads it; `truth` grades any query against any product.
"""

from training.demo_shop.schema import (
    ATTRIBUTE_KEYS,
    INTENTS,
    SLOT_KEYS,
    SPLITS,
    DemoShop,
    PastEvent,
    Query,
    QueryPrice,
    QuerySlot,
    Request,
    Review,
    User,
)
from training.demo_shop.storage import load

__all__ = [
    "ATTRIBUTE_KEYS",
    "INTENTS",
    "SLOT_KEYS",
    "SPLITS",
    "DemoShop",
    "PastEvent",
    "Query",
    "QueryPrice",
    "QuerySlot",
    "Request",
    "Review",
    "User",
    "load",
]
