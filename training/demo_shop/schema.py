"""What the demo shop holds, as typed records."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product

Split = Literal["train", "validation", "test"]
Intent = Literal["browse", "purchase", "review", "support", "out_of_scope"]
QueryLanguage = Literal["zh", "en", "mixed"]
Sentiment = Literal["positive", "neutral", "negative"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
INTENTS: tuple[Intent, ...] = ("browse", "purchase", "review", "support", "out_of_scope")
ATTRIBUTE_KEYS = ("color", "material", "season", "gender", "size", "style", "use")
SLOT_KEYS = (*ATTRIBUTE_KEYS, "brand")


@dataclass(frozen=True)
class QuerySlot:
    """An attribute value named in a query: `text[start:end]` is its surface, in characters."""

    key: str
    value: str
    start: int
    end: int
    negated: bool


@dataclass(frozen=True)
class QueryPrice:
    """Price bounds named in a query, inclusive, in major units; the phrase is `text[start:end]`.

    `currency` is an ISO 4217 code, or empty when the query names none (then the shop's, CNY, is meant).
    """

    minimum: float | None
    maximum: float | None
    currency: str
    start: int
    end: int


@dataclass(frozen=True)
class Query:
    """A query with the truth about it.

    `category` is the leaf's path ("clothing/t-shirt"), empty when the query is about none. `twin` is the id
    of the same wish in the other language; a mixed query's twin is the Chinese one.
    """

    id: str
    twin: str
    text: str
    language: QueryLanguage
    split: Split
    intent: Intent
    category: str
    slots: tuple[QuerySlot, ...]
    price: QueryPrice | None


@dataclass(frozen=True)
class Aspect:
    """What a review says of one aspect ("quality", "size", "delivery" …)."""

    aspect: str
    sentiment: Sentiment


@dataclass(frozen=True)
class Review:
    """A review with its true sentiment."""

    id: str
    product_id: str
    language: Literal["zh", "en"]
    split: Split
    rating: int
    text: str
    sentiment: Sentiment
    aspects: tuple[Aspect, ...]
    event_seconds: int


@dataclass(frozen=True)
class PastEvent:
    """What a user did with a product before the log begins."""

    product_id: str
    type: Literal["click", "cart", "purchase"]
    event_seconds: int


@dataclass(frozen=True)
class User:
    """A user with hidden tastes: utilities in log-odds of attractiveness, 0 where a value is not listed.

    `history` is no secret: what the shop's profile holds when the log begins, oldest first.
    """

    id: str
    split: Split
    language: Literal["zh", "en"]
    activity: float
    interests: Mapping[str, float]
    brands: Mapping[str, float]
    attributes: Mapping[str, Mapping[str, float]]
    price_level: float
    price_weight: float
    history: tuple[PastEvent, ...]


@dataclass(frozen=True)
class Request:
    """One answer shown to a user: row i of every array is the product at position i + 1.

    Arrays have k rows. `clicked`, `carted`, `purchased`: bool, what the user did (a purchase needs a cart, a
    cart a click). The truth, float32: `relevance` to the query; `attractiveness`, probability of a click when
    seen, free of position; `examination`, probability of being seen; `click_probability`, their product;
    `conversion_probability`, probability of a purchase after a click.
    """

    id: str
    session_id: str
    user_id: str
    query_id: str
    split: Split
    event_seconds: int
    product_ids: tuple[str, ...]
    clicked: NDArray[np.bool_]
    carted: NDArray[np.bool_]
    purchased: NDArray[np.bool_]
    relevance: NDArray[np.float32]
    attractiveness: NDArray[np.float32]
    examination: NDArray[np.float32]
    conversion_probability: NDArray[np.float32]

    @property
    def positions(self) -> NDArray[np.int32]:
        """Position of each row, from 1."""
        return np.arange(1, len(self.product_ids) + 1, dtype=np.int32)

    @property
    def click_probability(self) -> NDArray[np.float32]:
        """Probability of a click where the product was shown."""
        return self.examination * self.attractiveness


@dataclass(frozen=True)
class DemoShop:
    """The whole shop. Splits: queries and reviews by wording, users and their requests by user."""

    root: Path
    products: tuple[Product, ...]
    queries: tuple[Query, ...]
    reviews: tuple[Review, ...]
    users: tuple[User, ...]
    log: tuple[Request, ...]

    @cached_property
    def product(self) -> Mapping[str, Product]:
        """Products by id."""
        return {product.id: product for product in self.products}

    @cached_property
    def query(self) -> Mapping[str, Query]:
        """Queries by id."""
        return {query.id: query for query in self.queries}

    @cached_property
    def user(self) -> Mapping[str, User]:
        """Users by id."""
        return {user.id: user for user in self.users}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Leaf categories ("clothing/t-shirt"), sorted."""
        return tuple(sorted({"/".join(product.category_path) for product in self.products}))
