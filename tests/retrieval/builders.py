"""Products for the tests of retrieval."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Availability, Money, Product

DIMENSION = 8


def product(
    product_id: str,
    title: str = "thing",
    *,
    zh: str = "",
    brand: str = "",
    category: Sequence[str] = (),
    price: float | None = None,
    rating: float | None = None,
    review_count: int = 0,
    color: str = "",
    available: bool = True,
    group: str = "",
) -> Product:
    """A product of which nothing is known but what is given."""
    made = Product(
        id=product_id,
        title={"en": title} | ({"zh": zh} if zh else {}),
        brand=brand,
        category_path=category,
        rating=rating,
        review_count=review_count,
        availability=Availability.AVAILABILITY_IN_STOCK
        if available
        else Availability.AVAILABILITY_OUT_OF_STOCK,
        group_id=group,
    )
    if price is not None:
        made.price.CopyFrom(Money(amount=price, currency_code="CNY"))
    if color:
        made.attributes["color"].values.append(color)
    return made


def unit_rows(n: int, *, seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """n random L2-normalised embeddings: float32 [n, dimension]."""
    rows = np.random.default_rng(seed).standard_normal((n, dimension))
    normalised: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normalised


def towards(axis: int, lean: float = 0.0, *, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """A unit embedding along one axis, leaning towards the next one: float32 [dimension]."""
    vector = np.zeros(dimension, np.float32)
    vector[axis] = np.sqrt(1 - lean**2)
    vector[(axis + 1) % dimension] = lean
    return vector
