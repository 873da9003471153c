"""How users behave: what attracts them, what they see, and what they buy.

A click follows the examination hypothesis (Richardson et al., 2007; Craswell et al., 2008): it needs the
product to be seen, which the position decides, and to attract, which relevance, taste and quality decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Availability, Product
from training.demo_shop.lexicon import Lexicon
from training.demo_shop.schema import User

Floats = NDArray[np.float64]

_POSITION_DECAY = 0.55  # examination = 1 / position ** decay


@dataclass(frozen=True)
class Weights:
    """Log-odds of a click on what is seen, and of cart and purchase after it."""

    click: float = -3.9
    relevance: float = 4.0
    taste: float = 1.0
    rating: float = 1.2
    reviews: float = 0.12
    unavailable: float = -1.2
    cart: float = -1.9
    cart_relevance: float = 1.2
    cart_taste: float = 0.9
    cart_rating: float = 1.2
    buy: float = -0.6
    buy_taste: float = 0.4
    buy_cheap: float = 1.0


WEIGHTS = Weights()


class Appeal:
    """What of the products' appeal does not depend on the query, as arrays over all products."""

    def __init__(self, lexicon: Lexicon, products: Sequence[Product]) -> None:
        self._brands = [product.brand for product in products]
        self._attributes = {
            key: [_value(product, key) for product in products] for key in ("color", "style", "gender")
        }
        self.price_level = np.array([_price_level(lexicon, product) for product in products])
        ratings = np.array([product.rating if product.HasField("rating") else 4.1 for product in products])
        counts = np.array([product.review_count for product in products], dtype=np.float64)
        trusted = counts / (counts + 5.0)  # few reviews move nobody
        self.rating = (ratings - 4.2) * trusted
        self.reviews = np.log1p(counts) - 4.0
        self.unavailable = np.array(
            [product.availability == Availability.AVAILABILITY_OUT_OF_STOCK for product in products]
        )

    def taste(self, user: User, rows: NDArray[np.intp]) -> Floats:
        """How well each of `rows` suits the user, in log-odds, about 0 on average."""
        taste = np.array([user.brands.get(self._brands[row], 0.0) for row in rows])
        for key, values in user.attributes.items():
            column = self._attributes[key]
            taste += [values.get(column[row], 0.0) for row in rows]
        distance = np.abs(self.price_level[rows] - user.price_level)
        return np.asarray(taste + user.price_weight * (0.5 - 2.0 * distance))


def attractiveness(
    appeal: Appeal, rows: NDArray[np.intp], relevance: Floats, taste: Floats, weights: Weights = WEIGHTS
) -> Floats:
    """Probability of a click on each of `rows` when it is seen, float64 [k]."""
    return _sigmoid(
        weights.click
        + weights.relevance * relevance
        + weights.taste * taste
        + weights.rating * appeal.rating[rows]
        + weights.reviews * appeal.reviews[rows]
        + weights.unavailable * appeal.unavailable[rows]
    )


def cart_probability(
    appeal: Appeal, rows: NDArray[np.intp], relevance: Floats, taste: Floats, weights: Weights = WEIGHTS
) -> Floats:
    """Probability that a clicked product goes into the cart; 0 when it cannot be bought."""
    odds = (
        weights.cart
        + weights.cart_relevance * relevance
        + weights.cart_taste * taste
        + weights.cart_rating * appeal.rating[rows]
    )
    return np.where(appeal.unavailable[rows], 0.0, _sigmoid(odds))


def purchase_probability(
    appeal: Appeal, rows: NDArray[np.intp], taste: Floats, weights: Weights = WEIGHTS
) -> Floats:
    """Probability that a product in the cart is bought; dear ones are left there more often."""
    odds = weights.buy + weights.buy_taste * taste + weights.buy_cheap * (1 - 2 * appeal.price_level[rows])
    return _sigmoid(odds)


def examination(length: int) -> Floats:
    """Probability that each position of a list is seen, float64 [length]."""
    return np.arange(1, length + 1, dtype=np.float64) ** -_POSITION_DECAY


def _sigmoid(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _value(product: Product, key: str) -> str:
    values: Mapping[str, object] = product.attributes
    return product.attributes[key].values[0] if key in values else ""


def _price_level(lexicon: Lexicon, product: Product) -> float:
    """Where the price lies in the type's range, 0 to 1, on a logarithmic scale."""
    low, high = lexicon.types["/".join(product.category_path)].price
    return float(np.clip(np.log(product.price.amount / low) / np.log(high / low), 0, 1))
