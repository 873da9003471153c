"""How each candidate relates to each single product of the user's history: what attention looks at."""

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.user_pb2 import UserContext
from services.ranking.columns import Products, Words, read_products
from services.ranking.history_features import HISTORY_ATTRIBUTES, event_weights

Bytes = NDArray[np.uint8]

# The relations, each one byte: 1 or 0 where nothing else is said.
PAIRS: tuple[str, ...] = (
    "present",  # whether there is such a product in the history: absent ones are 0 throughout
    "strength",  # of what the user did with it, halved every 90 days, times 64
    "cosine_known",
    "cosine",  # of the two embeddings, from 0 for opposite to 254 for the same
    "same_product",
    "same_brand",
    "same_category",
    "same_category_root",
    *(f"same_{key}" for key in HISTORY_ATTRIBUTES),
    "price_known",
    "price_gap",  # how far apart the two prices are, |natural logarithm of their ratio| times 64
)
_UNIT = 64


def no_pairs(candidates: int) -> Bytes:
    """Return the relations of candidates to an empty history: uint8 [n, P, 1], all 0."""
    return np.zeros((candidates, len(PAIRS), 1), dtype=np.uint8)


def history_pairs(
    products: Products,
    user: UserContext | None,
    history: ProductColumns | None,
    cosines: bytes,
    now_seconds: float,
) -> Bytes:
    """Return the relations of n candidates to the h products of the history: uint8 [n, len(PAIRS), h].

    `cosines` are those of `Candidates.history_cosines`, empty where they are not known. Without a history of
    known products there is one absent product.
    """
    if user is None or history is None or not history.ids:
        return no_pairs(len(products.ids))
    past = read_products(history)
    weights = event_weights(past.ids, user, now_seconds)
    n, h = len(products.ids), len(past.ids)
    pairs = np.zeros((n, len(PAIRS), h), dtype=np.uint8)
    column = {name: pairs[:, place] for place, name in enumerate(PAIRS)}
    column["present"][:] = weights > 0
    column["strength"][:] = np.minimum(np.rint(weights * _UNIT), 255)
    if cosines:
        column["cosine_known"][:] = 1
        column["cosine"][:] = np.frombuffer(cosines, np.int8).reshape(h, n).T.astype(np.int16) + 127
    place_of = {product: place for place, product in enumerate(past.ids)}
    for row, product in enumerate(products.ids):
        if product in place_of:
            column["same_product"][row, place_of[product]] = 1
    column["same_brand"][:] = _same(products.brands, past.brands)
    column["same_category"][:] = _same(products.categories, past.categories)
    column["same_category_root"][:] = _same(_roots(products.categories), _roots(past.categories))
    for key in HISTORY_ATTRIBUTES:
        mine, theirs = products.attributes.get(key), past.attributes.get(key)
        if mine is not None and theirs is not None:
            column[f"same_{key}"][:] = _same(mine, theirs)
    gaps = np.abs(np.log1p(products.prices)[:, None] - np.log1p(past.prices))
    known = ~np.isnan(gaps)
    column["price_known"][:] = known
    column["price_gap"][:] = np.where(known, np.minimum(np.rint(gaps * _UNIT), 255), 0)
    pairs *= column["present"][:, None]
    return pairs


def _same(mine: Words, theirs: Words) -> NDArray[np.bool_]:
    """Return whether each row of `mine` has the value of each row of `theirs`, bool [n, h]."""
    number_of = {value: number for number, value in enumerate(theirs.values)}
    translated = np.array([*(number_of.get(value, -2) for value in mine.values), -2], dtype=np.int64)
    same: NDArray[np.bool_] = translated[mine.rows][:, None] == theirs.rows
    return same


def _roots(categories: Words) -> Words:
    roots = [value.partition("/")[0] for value in categories.values]
    distinct = sorted(set(roots))
    numbers = np.array([*(distinct.index(root) for root in roots), -1], dtype=np.int64)
    return Words(distinct, numbers[categories.rows])
