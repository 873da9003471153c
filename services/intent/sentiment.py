"""How reviews feel, one by one and by product, as the contract tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aisle.intent.v1.intent_pb2 import (
    AspectMention,
    AspectSentiment,
    ProductSentiment,
    ReviewSentiment,
    Sentiment,
)

Judged = tuple[str, str]  # aspect and sentiment of a clause


@dataclass
class _Reviews:
    sentiments: list[str] = field(default_factory=list)
    clauses: list[Judged] = field(default_factory=list)


def review_sentiment(probabilities: Mapping[str, float], clauses: Sequence[Judged] = ()) -> ReviewSentiment:
    """Return the message of one review's probabilities by sentiment ("negative", "neutral", "positive")."""
    return ReviewSentiment(
        sentiment=_named(likeliest(probabilities)),
        negative=probabilities["negative"],
        neutral=probabilities["neutral"],
        positive=probabilities["positive"],
        aspects=[AspectMention(aspect=aspect, sentiment=_named(sentiment)) for aspect, sentiment in clauses],
    )


def likeliest(probabilities: Mapping[str, float]) -> str:
    """Return the likeliest sentiment."""
    return max(probabilities, key=lambda each: probabilities[each])


def by_product(
    products: Sequence[str], sentiments: Sequence[str], clauses: Sequence[Sequence[Judged]]
) -> list[ProductSentiment]:
    """Return what the reviews of each product say together, in the order of the products' first reviews.

    The three have one entry for each review: its product, its sentiment, and its clauses' aspects.
    """
    found: dict[str, _Reviews] = {}
    for product, sentiment, judged in zip(products, sentiments, clauses, strict=True):
        of_product = found.setdefault(product, _Reviews())
        of_product.sentiments.append(sentiment)
        of_product.clauses.extend(judged)
    return [_product(product, reviews) for product, reviews in found.items()]


def _named(sentiment: str) -> "Sentiment.ValueType":
    return Sentiment.Value(f"SENTIMENT_{sentiment.upper()}")


def _product(product: str, reviews: _Reviews) -> ProductSentiment:
    by_aspect: dict[str, list[str]] = {}
    for aspect, sentiment in reviews.clauses:
        by_aspect.setdefault(aspect, []).append(sentiment)
    ordered = sorted(by_aspect.items(), key=lambda item: (-len(item[1]), item[0]))
    return ProductSentiment(
        product_id=product,
        reviews=len(reviews.sentiments),
        positive_share=_share(reviews.sentiments, "positive"),
        negative_share=_share(reviews.sentiments, "negative"),
        aspects=[
            AspectSentiment(
                aspect=aspect,
                mentions=len(told),
                positive_share=_share(told, "positive"),
                negative_share=_share(told, "negative"),
            )
            for aspect, told in ordered
        ],
    )


def _share(sentiments: Sequence[str], wanted: str) -> float:
    return sentiments.count(wanted) / len(sentiments)
