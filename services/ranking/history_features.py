"""How a product relates to what the user did before."""

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.user_pb2 import EventType, UserContext
from services.ranking.columns import Floats, Products, Words, read_products
from services.ranking.scaling import standardise

HISTORY_ATTRIBUTES = ("color", "material", "style", "gender", "size", "season", "use")
HISTORY_FEATURES = (
    "history_known",
    "history_length",  # ln(1 + products) / ln(51)
    "affinity_z",  # cosine with the history's embeddings, standardised over the candidates
    "seen",  # share of the history's weight on this very product
    "bought",  # whether the user bought this very product
    "brand_share",  # share of the history's weight on products of the same brand, and so on
    "category_share",
    "category_root_share",
    *(f"{key}_share" for key in HISTORY_ATTRIBUTES),
    # natural logarithm of how much more weight the history has on the value than the candidates have
    "brand_lift",
    *(f"{key}_lift" for key in HISTORY_ATTRIBUTES),
    "history_price_missing",
    "price_above_history",  # natural logarithm of price / the history's mean price, within ±4
    "price_far_from_history",  # its absolute value
)

_EVENT_WEIGHTS: dict[int, float] = {
    EventType.EVENT_TYPE_IMPRESSION: 0.1,
    EventType.EVENT_TYPE_CLICK: 1.0,
    EventType.EVENT_TYPE_CART: 1.5,
    EventType.EVENT_TYPE_PURCHASE: 2.0,
    EventType.EVENT_TYPE_RATING: 1.5,
    EventType.EVENT_TYPE_REVIEW: 1.5,
}
_HALF_LIFE_SECONDS = 90 * 86_400.0
_DOUBT = 2.0  # products that a lift is pulled towards none by


def history_features(
    products: Products,
    affinities: Floats,
    user: UserContext | None,
    history: ProductColumns | None,
    now_seconds: float,
) -> dict[str, Floats | float]:
    """Return the features by name, each float64 [n] or one number for all.

    All 0 when no product of the history is known; `affinities`: float64 [n], cosines, 0 without history.
    """
    if user is None or history is None or not history.ids:
        return dict.fromkeys(HISTORY_FEATURES, 0.0)
    past = read_products(history)
    weights = event_weights(past.ids, user, now_seconds)
    if not weights.any():
        return dict.fromkeys(HISTORY_FEATURES, 0.0)
    shares = weights / weights.sum()
    return {
        "history_known": 1.0,
        "history_length": float(np.log1p(np.count_nonzero(weights)) / np.log(51)),
        "affinity_z": standardise(affinities, affinities != 0),
        **_same_product(products.ids, past.ids, shares, user),
        **_same_values(products, past, shares),
        **_price(products.prices, past.prices, shares),
    }


def event_weights(ids: list[str], user: UserContext, now_seconds: float) -> Floats:
    """Weigh each product by the strength of the events on it, halved every 90 days: float64 [n]."""
    by_id: dict[str, float] = {}
    for item in user.history:
        age = max(0.0, now_seconds - item.event_seconds)
        weight = _EVENT_WEIGHTS.get(item.type, 0.0) * 0.5 ** (age / _HALF_LIFE_SECONDS)
        by_id[item.product_id] = by_id.get(item.product_id, 0.0) + weight
    return np.array([by_id.get(product, 0.0) for product in ids])


def _same_product(ids: list[str], past: list[str], shares: Floats, user: UserContext) -> dict[str, Floats]:
    seen = dict(zip(past, shares.tolist(), strict=True))
    bought = {item.product_id for item in user.history if item.type == EventType.EVENT_TYPE_PURCHASE}
    return {
        "seen": np.array([seen.get(product, 0.0) for product in ids]),
        "bought": np.array([float(product in bought) for product in ids]),
    }


def _same_values(products: Products, past: Products, shares: Floats) -> dict[str, Floats | float]:
    by_category = _share_by_value(past.categories, shares)
    by_root: dict[str, float] = {}
    for category, share in by_category.items():
        root = category.partition("/")[0]
        by_root[root] = by_root.get(root, 0.0) + share
    roots = {value: by_root.get(value.partition("/")[0], 0.0) for value in products.categories.values}
    features: dict[str, Floats | float] = {
        **_share_and_lift("brand", products.brands, past.brands, shares),
        "category_share": products.categories.lookup(by_category),
        "category_root_share": products.categories.lookup(roots),
    }
    for key in HISTORY_ATTRIBUTES:
        features |= _share_and_lift(key, products.attributes.get(key), past.attributes.get(key), shares)
    return features


def _share_and_lift(
    key: str, mine: Words | None, theirs: Words | None, shares: Floats
) -> dict[str, Floats | float]:
    """Return the history's share of each product's value, and how that exceeds the candidates' share of it.

    A user who bought five black shirts likes black, unless most shirts are black: the lift is the logarithm
    of the products of the history that have the value, by their weights, over those that would have it by
    the candidates' share. Both are raised by two, so that a short history says little.
    """
    if mine is None or theirs is None:
        return {f"{key}_share": 0.0, f"{key}_lift": 0.0}
    by_value = _share_by_value(theirs, shares)
    size = np.count_nonzero(shares)
    found = np.array([by_value.get(value, 0.0) for value in mine.values])
    expected = np.bincount(mine.rows + 1, minlength=len(mine.values) + 1)[1:] / max(1, len(mine.rows))
    lifts = np.log((size * found + _DOUBT) / (size * expected + _DOUBT))
    return {f"{key}_share": np.append(found, 0.0)[mine.rows], f"{key}_lift": np.append(lifts, 0.0)[mine.rows]}


def _share_by_value(words: Words, shares: Floats) -> dict[str, float]:
    totals = np.bincount(words.rows + 1, weights=shares, minlength=len(words.values) + 1)
    return dict(zip(words.values, totals[1:].tolist(), strict=False))


def _price(prices: Floats, past: Floats, shares: Floats) -> dict[str, Floats | float]:
    known = ~np.isnan(past) & (shares > 0)
    if not known.any():
        return {"history_price_missing": 1.0, "price_above_history": 0.0, "price_far_from_history": 0.0}
    usual = np.average(np.log1p(past[known]), weights=shares[known])
    above = np.nan_to_num(np.clip(np.log1p(prices) - usual, -4, 4), nan=0.0)
    return {
        "history_price_missing": 0.0,
        "price_above_history": above,
        "price_far_from_history": np.abs(above),
    }
