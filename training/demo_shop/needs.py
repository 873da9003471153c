"""What shoppers want, before it is put into words. Each want was drawn from a product that fulfils it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from training.demo_shop.drafts import Draft
from training.demo_shop.lexicon import ProductType
from training.demo_shop.randomness import fraction, split_of
from training.demo_shop.schema import Intent, Split
from training.demo_shop.truth import CNY_PER

_KEY_WEIGHTS = {
    "color": 3.0,
    "gender": 2.0,
    "season": 2.2,
    "style": 2.0,
    "material": 1.6,
    "use": 1.6,
    "brand": 1.5,
    "size": 0.9,
}
_NEGATABLE = ("color", "style", "material")
_RESERVED_BRANDS = 0.15  # share of (type, brand) pairs that only test queries name
# The demo's own queries stay unseen.
_KEPT_FOR_TEST = {("clothing/t-shirt", (("color", "black"), ("season", "summer")))}


@dataclass(frozen=True)
class Want:
    """A value wanted or, when negated, not wanted."""

    key: str
    value: str
    negated: bool = False


@dataclass(frozen=True)
class Bounds:
    """Price bounds in `currency` ("" when none is named)."""

    minimum: float | None
    maximum: float | None
    currency: str


@dataclass(frozen=True)
class Need:
    """A wish: a product type, values of it, and maybe a price."""

    kind: ProductType
    wants: tuple[Want, ...]
    bounds: Bounds | None

    @property
    def split(self) -> Split:
        """The split of every query for this wish: one type with the same values is in one split."""
        wanted = tuple(sorted((want.key, want.value) for want in self.wants if not want.negated))
        category = self.kind.category
        brands = [value for key, value in wanted if key == "brand"]
        reserved = any(fraction("reserved", category, brand) < _RESERVED_BRANDS for brand in brands)
        if reserved or (category, wanted) in _KEPT_FOR_TEST:
            return "test"
        unwanted = sorted((want.key, want.value) for want in self.wants if want.negated)
        bounds = (self.bounds.minimum, self.bounds.maximum) if self.bounds else None
        return split_of(category, wanted, unwanted, bounds)


def draw_need(drafts: Sequence[Draft], intent: Intent, random: Random) -> Need:
    """Draw a wish for which at least one of `drafts` is exactly right."""
    draft = random.choice(drafts)
    if intent == "review":
        return Need(draft.type, _wants(draft, random.choice([0, 1, 1, 2]), random), None)
    wants = _wants(draft, random.choices([0, 1, 2, 3, 4], [0.1, 0.32, 0.34, 0.18, 0.06])[0], random)
    if random.random() < 0.14:
        wants = (*wants, *_unwanted(draft, wants, random))
    return Need(draft.type, wants, _bounds(draft.price, random) if random.random() < 0.25 else None)


def _wants(draft: Draft, count: int, random: Random) -> tuple[Want, ...]:
    values = {**draft.values, "brand": draft.brand.name.canonical}
    # Weighted sampling without replacement (Efraimidis and Spirakis, 2006).
    by_luck = sorted(values, key=lambda key: math.log(1 - random.random()) / _KEY_WEIGHTS[key], reverse=True)
    return tuple(Want(key, values[key]) for key in by_luck[:count])


def _unwanted(draft: Draft, wants: Sequence[Want], random: Random) -> tuple[Want, ...]:
    """A value that the draft does not have, of an attribute that is not asked for already."""
    named = {want.key for want in wants}
    choices = [
        Want(key, value, negated=True)
        for key in _NEGATABLE
        if key in draft.values and key not in named
        for value in draft.type.attributes[key]
        if value != draft.values[key]
    ]
    return (random.choice(choices),) if choices else ()


def _bounds(price: float, random: Random) -> Bounds:
    """Round bounds around a price, so that the product lies inside."""
    currency = random.choices(["CNY", "", "USD"], [0.6, 0.28, 0.12])[0]
    amount = price / CNY_PER[currency]
    kind = random.choices(["maximum", "minimum", "between"], [0.55, 0.15, 0.3])[0]
    above = _round(amount * random.uniform(1.05, 1.6), math.ceil)
    below = _round(amount * random.uniform(0.5, 0.95), math.floor)
    return Bounds(
        minimum=below if kind != "maximum" else None,
        maximum=above if kind != "minimum" else None,
        currency=currency,
    )


def _round(amount: float, towards: Callable[[float], int]) -> float:
    """Round to a step people say aloud: 5, 50, 500 …; never below 1."""
    step = 5 * 10 ** max(0, math.floor(math.log10(max(amount, 1.0))) - 1)
    return float(max(1, towards(amount / step) * step))
