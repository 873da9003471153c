"""What the shop sells, before it is put into words: type, brand, values, price and hidden quality."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from training.demo_shop.lexicon import Brand, Lexicon, ProductType
from training.demo_shop.randomness import common_first, stream

CURRENCY = "CNY"
# So that the demo's queries find something in a shop of any size.
_PINNED: Mapping[str, tuple[int, Mapping[str, str], float]] = {
    "clothing/t-shirt": (8, {"color": "black", "season": "summer"}, 329.0),
    "electronics/headphones": (5, {"color": "black", "style": "wireless"}, 199.0),
}


@dataclass(frozen=True)
class Draft:
    """One product to be. `quality` is standard normal at its core: what buyers think of it, never written."""

    id: str
    type: ProductType
    brand: Brand
    values: Mapping[str, str]
    price: float
    quality: float


def draft_products(lexicon: Lexicon, seed: int, count: int) -> list[Draft]:
    """Draw `count` products; types by weight, each at least once when `count` allows."""
    random = stream(seed, "products")
    drafts = [
        _draft(lexicon, kind, place, random)
        for kind, number in _shares(list(lexicon.types.values()), count)
        for place in range(number)
    ]
    random.shuffle(drafts)
    return [_numbered(draft, place) for place, draft in enumerate(drafts, start=1)]


def _shares(types: list[ProductType], count: int) -> list[tuple[ProductType, int]]:
    """Share `count` out by weight, largest remainders first."""
    whole = sum(kind.weight for kind in types)
    exact = [count * kind.weight / whole for kind in types]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(types)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: count - sum(shares)]:
        shares[place] += 1
    return list(zip(types, shares, strict=True))


def _draft(lexicon: Lexicon, kind: ProductType, place: int, random: Random) -> Draft:
    brand = random.choice([each for each in lexicon.brands.values() if kind.root in each.roots])
    values = {key: common_first(random, options) for key, options in kind.attributes.items()}
    price = _price(kind, brand, random)
    count, pinned, highest = _PINNED.get(kind.category, (0, {}, 0.0))
    if place < count:
        values |= pinned
        price = min(price, highest)
    return Draft("", kind, brand, values, price, brand.quality + random.gauss(0, 0.7))


def _price(kind: ProductType, brand: Brand, random: Random) -> float:
    """Log-uniform over the type's range, moved by the brand's tier, ending the way shops like."""
    low, high = kind.price
    price = low * math.pow(high / low, random.betavariate(1.6, 2.2)) * brand.tier
    if price >= 300:
        return float(round(price / 10) * 10 - random.choice([1, 1, 2, 10]))
    return round(max(2.0, round(price)) - random.choice([0.1, 0.1, 0.0, 1.0]), 2)


def _numbered(draft: Draft, place: int) -> Draft:
    return Draft(f"p{place:05d}", draft.type, draft.brand, draft.values, draft.price, draft.quality)
