"""The catalogue: drafts put into words, with the ratings, stock and dates that their quality earned."""

import math
from collections.abc import Sequence
from random import Random

from aisle.catalog.v1.product_pb2 import Availability, Image, Money, Product
from training.demo_shop.drafts import CURRENCY, Draft
from training.demo_shop.lexicon import LANGUAGES, Lexicon
from training.demo_shop.pictures import SIDE, picture_uri
from training.demo_shop.randomness import stream
from training.demo_shop.wording import description, title

LOG_DAYS = 60
LOG_END = 1_793_491_200  # 2026-11-01T00:00:00Z, in seconds since the Unix epoch; the shop's "now"
LOG_START = LOG_END - LOG_DAYS * 86_400
_OLDEST_DAYS = 900


def make_products(lexicon: Lexicon, drafts: Sequence[Draft], seed: int) -> list[Product]:
    """Return the products of `drafts`, in the same order."""
    return [_product(lexicon, draft, stream(seed, "product", draft.id)) for draft in drafts]


def _product(lexicon: Lexicon, draft: Draft, random: Random) -> Product:
    product = Product(
        id=draft.id,
        title={language: title(lexicon, draft, language, random) for language in LANGUAGES},
        description={language: description(lexicon, draft, language, random) for language in LANGUAGES},
        brand=draft.brand.name.canonical,
        category_path=draft.type.category.split("/"),
        price=Money(amount=draft.price, currency_code=CURRENCY),
        images=[Image(uri=picture_uri(draft), width=SIDE, height=SIDE)],
        availability=_availability(random),
    )
    for key, value in draft.values.items():
        product.attributes[key].values.append(value)
    age_days = min(_OLDEST_DAYS, random.expovariate(1 / 280))
    product.create_time.seconds = LOG_END - int(age_days * 86_400)
    _rate(product, draft.quality, age_days, random)
    return product


def _availability(random: Random) -> Availability.ValueType:
    choices = [
        Availability.AVAILABILITY_IN_STOCK,
        Availability.AVAILABILITY_OUT_OF_STOCK,
        Availability.AVAILABILITY_PREORDER,
    ]
    return random.choices(choices, [0.93, 0.05, 0.02])[0]


def _rate(product: Product, quality: float, age_days: float, random: Random) -> None:
    """Give older and better products more reviews; the newest have none and so no rating."""
    expected = math.exp(random.gauss(2.2, 1.3) + 0.4 * quality) * (age_days / 60)
    product.review_count = min(200_000, int(expected))
    if not product.review_count:
        return
    noise = 0.5 / math.sqrt(product.review_count)
    product.rating = round(min(5.0, max(1.0, 4.2 + 0.35 * quality + random.gauss(0, noise))), 1)
    positive = 1 / (1 + math.exp(-(1.9 + 0.9 * quality + random.gauss(0, 2 * noise))))
    product.positive_review_share = round(positive, 3)
