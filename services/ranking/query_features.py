"""How well a product fits what the query was understood to ask for."""

import math
from collections.abc import Iterable

import numpy as np

from aisle.intent.v1.intent_pb2 import LabelProbability, PriceBounds, Slot, Understanding
from runtime.money import Rates
from services.ranking.columns import Bools, Floats, Products, Words

_INTENTS = ("browse", "purchase", "review")
QUERY_FEATURES = (
    "understood",  # whether there is an understanding
    *(f"intent_{intent}" for intent in _INTENTS),
    "category_applicable",  # whether the understood categories occur among the candidates at all
    "category_probability",
    "category_is_likeliest",
    "category_root_probability",
    "slots_named",  # min(number of wanted attributes, 4) / 4
    "slots_matched",  # share of the wanted attributes, weighted by confidence
    "slots_conflicting",
    "slots_unknown",
    "slots_excluded",  # whether the query excludes any attribute value
    "slots_violated",  # share of the excluded values that the product has
    "price_bounded",
    "price_outside",
    "price_excess",  # natural logarithm of how far beyond the bound, at most 4
)

_Wanted = dict[str, dict[str, float]]  # attribute → value → confidence


def query_features(
    products: Products, understanding: Understanding | None, rates: Rates
) -> dict[str, Floats | float]:
    """Return the features by name, each float64 [n] or one number for all; all 0 without understanding."""
    if understanding is None or _is_neutral(understanding):
        return dict.fromkeys(QUERY_FEATURES, 0.0)
    bounds = understanding.price if understanding.HasField("price") else None
    intents = _probabilities(understanding.intents)
    return {
        "understood": 1.0,
        **{f"intent_{intent}": intents.get(intent, 0.0) for intent in _INTENTS},
        **_categories(products, _probabilities(understanding.categories)),
        **_wanted(products, _by_key(understanding, negated=False)),
        **_excluded(products, _by_key(understanding, negated=True)),
        **_bounds(products, bounds, rates),
    }


def _is_neutral(understanding: Understanding) -> bool:
    said = understanding.intents or understanding.categories or understanding.slots
    return not said and not understanding.HasField("price")


def _probabilities(labels: Iterable[LabelProbability]) -> dict[str, float]:
    return {each.label.casefold(): min(1.0, max(0.0, each.probability)) for each in labels}


def _categories(products: Products, leaves: dict[str, float]) -> dict[str, Floats | float]:
    """Compare with the understood leaves, most probable first; another taxonomy matches nowhere."""
    roots: dict[str, float] = {}
    for label, probability in leaves.items():
        root = label.partition("/")[0]
        roots[root] = roots.get(root, 0.0) + probability
    by_root = {value: roots.get(value.partition("/")[0], 0.0) for value in products.categories.values}
    exact = products.categories.lookup(leaves)
    first = {next(iter(leaves), ""): 1.0}
    return {
        "category_applicable": float(bool((exact > 0).any())),
        "category_probability": exact,
        "category_is_likeliest": products.categories.lookup(first),
        "category_root_probability": products.categories.lookup(by_root),
    }


def _by_key(understanding: Understanding, *, negated: bool) -> _Wanted:
    wanted: _Wanted = {}
    for slot in understanding.slots:
        if slot.negated is negated:
            values = wanted.setdefault(slot.key, {})
            value = slot.value.casefold()
            values[value] = max(values.get(value, 0.0), _confidence(slot))
    return wanted


def _confidence(slot: Slot) -> float:
    return min(1.0, max(0.01, slot.confidence))


def _wanted(products: Products, wanted: _Wanted) -> dict[str, Floats | float]:
    """An attribute is matched by any of the values wanted of it, and conflicts only when it is known."""
    n = len(products.ids)
    matched, unknown = np.zeros(n), np.zeros(n)
    total = sum(max(values.values()) for values in wanted.values()) or 1.0
    for key, values in wanted.items():
        weight = max(values.values()) / total
        has, known = _holds(products, key, values)
        matched += weight * has
        unknown += weight * ~known
    return {
        "slots_named": min(len(wanted), 4) / 4,
        "slots_matched": matched,
        "slots_conflicting": np.maximum(0.0, 1.0 - matched - unknown) if wanted else 0.0,
        "slots_unknown": unknown,
    }


def _excluded(products: Products, excluded: _Wanted) -> dict[str, Floats | float]:
    count = sum(len(values) for values in excluded.values())
    violated = np.zeros(len(products.ids))
    for key, values in excluded.items():
        violated += _holds(products, key, values)[0]
    return {"slots_excluded": float(count > 0), "slots_violated": violated / max(1, count)}


def _holds(products: Products, key: str, values: dict[str, float]) -> tuple[Floats, Bools]:
    """Return whether each product has one of the values, and whether its attribute is known at all."""
    words = products.brands if key == "brand" else products.attributes.get(key)
    if words is None:
        n = len(products.ids)
        return np.zeros(n), np.zeros(n, dtype=np.bool_)
    return words.lookup(dict.fromkeys(values, 1.0)), words.known


def _bounds(products: Products, bounds: PriceBounds | None, rates: Rates) -> dict[str, Floats | float]:
    """Compare each price with the bounds in its own currency; those that cannot be converted do not count."""
    if bounds is None:
        return {"price_bounded": 0.0, "price_outside": 0.0, "price_excess": 0.0}
    factors = _factors(products.currencies, bounds.currency_code, rates)
    excess = np.zeros(len(products.prices))
    logs = np.log1p(products.prices)
    if bounds.HasField("maximum"):
        excess = np.fmax(excess, logs - np.log1p(factors * max(0.0, bounds.maximum)))
    if bounds.HasField("minimum"):
        excess = np.fmax(excess, np.log1p(factors * max(0.0, bounds.minimum)) - logs)
    return {
        "price_bounded": (~np.isnan(factors)).astype(np.float64),
        "price_outside": (excess > 0).astype(np.float64),
        "price_excess": np.minimum(excess, 4.0),
    }


def _factors(currencies: Words, code: str, rates: Rates) -> Floats:
    """Return how many units of each product's currency one of `code` is, float64 [n]; NaN where unknown.

    Without a currency named, on either side, the numbers are compared as they are.
    """
    known = [rates.factor(code, each.upper()) if code else 1.0 for each in currencies.values]
    table = [math.nan if factor is None else factor for factor in known]
    return np.array([*table, 1.0], dtype=np.float64)[currencies.rows]  # row −1 reads the last entry
