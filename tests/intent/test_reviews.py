"""What reviews say of products: clauses, aspects, shares."""

import pytest

from aisle.intent.v1.intent_pb2 import ClassifySentimentRequest, Sentiment
from runtime.serving.errors import InvalidArgument
from services.intent.aspects import Aspects
from services.intent.sentiment import by_product, review_sentiment
from services.intent.validation import check_reviews

ASPECTS = Aspects({"quality": ["质量", "sturdy"], "delivery": ["物流", "deliver", "packag"], "price": []})


@pytest.mark.parametrize(
    ("review", "clauses"),
    [
        ("质量很好，但是物流太慢", [("质量很好", ("quality",)), ("物流太慢", ("delivery",))]),
        ("Sturdy but DELIVERY slow. Ok!", [("Sturdy", ("quality",)), ("DELIVERY slow", ("delivery",))]),
        ("質量差", [("質量差", ("quality",))]),
        ("packaging and sturdy box", [("packaging and sturdy box", ("quality", "delivery"))]),
        ("unpackaged", []),
        ("，。！", []),
    ],
)  # fmt: skip
def test_clauses_name_aspects(review: str, clauses: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(each.text, each.aspects) for each in ASPECTS.clauses(review)] == clauses


def test_reviews_are_summed_up_by_product() -> None:
    first, second = by_product(
        ["a", "b", "a"],
        ["positive", "negative", "neutral"],
        [[("quality", "positive"), ("price", "negative")], [], [("quality", "negative")]],
    )
    assert (first.product_id, first.reviews, first.positive_share, first.negative_share) == ("a", 2, 0.5, 0)
    told = [(each.aspect, each.mentions, each.positive_share, each.negative_share) for each in first.aspects]
    assert told == [("quality", 2, 0.5, 0.5), ("price", 1, 0, 1)]
    assert (second.product_id, second.negative_share, list(second.aspects)) == ("b", 1, [])


def test_the_likeliest_sentiment_is_told() -> None:
    told = review_sentiment({"negative": 0.5, "neutral": 0.2, "positive": 0.3})
    assert told.sentiment == Sentiment.SENTIMENT_NEGATIVE
    assert (told.negative, told.neutral, told.positive) == pytest.approx((0.5, 0.2, 0.3))


@pytest.mark.parametrize(
    ("reviews", "products", "fields"),
    [
        ([], [], {"reviews"}),
        (["ok"] * 500, [], {"reviews"}),
        (["ok", " \n", "x" * 10_001], [], {"reviews[1]", "reviews[2]"}),
        (["ok", "fine"], ["a"], {"product_ids"}),
        (["ok", "fine"], ["a", ""], {"product_ids[1]"}),
    ],
)
def test_bad_requests_are_refused_by_field(reviews: list[str], products: list[str], fields: set[str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_reviews(ClassifySentimentRequest(reviews=reviews, product_ids=products))
    assert set(refused.value.fields) == fields
    if len(reviews) == 500:
        assert "1 to 256, got 500" in refused.value.fields["reviews"]


def test_256_reviews_are_taken() -> None:
    check_reviews(ClassifySentimentRequest(reviews=["ok"] * 256, product_ids=["a"] * 256))
