"""Reviews of the demo shop, as examples of sentiment, and the words by which reviews name aspects."""

from pathlib import Path
from random import Random

import yaml

from services.intent.aspects import Aspects
from training.demo_shop import DemoShop
from training.demo_shop.schema import Split
from training.intent.example import Example, plain


def review_examples(shop: DemoShop, split: Split) -> list[Example]:
    """Return the reviews of a split; what they say of a product is of no category by itself."""
    return [plain(each.text, "review", each.sentiment) for each in shop.reviews if each.split == split]


def clause_examples(shop: DemoShop, split: Split) -> list[Example]:
    """Return the clauses of a split's reviews that name one aspect, each once, with what is felt of it.

    Served reviews are read clause by clause too, and a clause is shorter than any whole review. What a clause
    intends by itself is not told.
    """
    aspects = Aspects(aspect_words())
    felt: dict[str, str] = {}
    for review in shop.reviews:
        if review.split != split:
            continue
        told = {each.aspect: each.sentiment for each in review.aspects}
        for clause in aspects.clauses(review.text):
            if len(clause.aspects) == 1 and clause.aspects[0] in told:
                felt[clause.text] = told[clause.aspects[0]]
    return [plain(text, "", sentiment) for text, sentiment in felt.items()]


def balanced(reviews: list[Example], each: int, seed: int) -> list[Example]:
    """Return at most `each` reviews of every sentiment: most shoppers praise."""
    random, kinds = Random(seed), sorted({review.sentiment for review in reviews})
    by_kind = [[review for review in reviews if review.sentiment == kind] for kind in kinds]
    return [review for kind in by_kind for review in random.sample(kind, min(each, len(kind)))]


def aspect_words() -> dict[str, list[str]]:
    """Return the words by which a review names each aspect, in both languages."""
    path = Path(__file__).parent / "words" / "aspects.yaml"
    loaded: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded
