"""Reviews of the demo shop, as examples of sentiment."""

from random import Random

from training.demo_shop import DemoShop
from training.demo_shop.schema import Split
from training.intent.example import Example, plain


def review_examples(shop: DemoShop, split: Split) -> list[Example]:
    """Return the reviews of a split; what they say of a product is of no category by itself."""
    return [plain(each.text, "review", each.sentiment) for each in shop.reviews if each.split == split]


def balanced(reviews: list[Example], each: int, seed: int) -> list[Example]:
    """Return at most `each` reviews of every sentiment: most shoppers praise."""
    random, kinds = Random(seed), sorted({review.sentiment for review in reviews})
    by_kind = [[review for review in reviews if review.sentiment == kind] for kind in kinds]
    return [review for kind in by_kind for review in random.sample(kind, min(each, len(kind)))]
