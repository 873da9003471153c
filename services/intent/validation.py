"""What queries and reviews must be before they are read."""

import unicodedata

from aisle.intent.v1.intent_pb2 import ClassifySentimentRequest, UnderstandRequest
from runtime.serving.errors import Violations

MOST_CHARACTERS = 512
MOST_RECENT = 10
MOST_REVIEWS = 256
MOST_REVIEW_CHARACTERS = 10_000


def check(request: UnderstandRequest) -> None:
    """Raise InvalidArgument unless the query and at most 10 recent ones are 1 to 512 characters of text."""
    wrong = Violations()
    _check_query(wrong, "query", request.query)
    recent = request.user.recent_queries
    if len(recent) > MOST_RECENT:
        wrong.add("user.recent_queries", f"must hold at most {MOST_RECENT} queries, got {len(recent)}")
    for place, query in enumerate(recent[:MOST_RECENT]):
        _check_query(wrong, f"user.recent_queries[{place}]", query)
    wrong.raise_if_any()


def _check_query(wrong: Violations, field: str, query: str) -> None:
    if not query.strip():
        wrong.add(field, "must hold more than whitespace")
    elif len(query) > MOST_CHARACTERS:
        wrong.add(field, f"must be at most {MOST_CHARACTERS} characters, got {len(query)}")
    elif any(unicodedata.category(character) == "Cc" for character in query):
        wrong.add(field, "must not hold control characters")


def check_reviews(request: ClassifySentimentRequest) -> None:
    """Raise InvalidArgument unless there are 1 to 256 reviews, each of 1 to 10,000 characters, and as many
    products or none."""
    wrong = Violations()
    count = len(request.reviews)
    if not 1 <= count <= MOST_REVIEWS:
        wrong.add("reviews", f"must be 1 to {MOST_REVIEWS}, got {count}; send more in further requests")
    if request.product_ids and len(request.product_ids) != count:
        wrong.add(
            "product_ids", f"must be as many as reviews, {count}, or none, got {len(request.product_ids)}"
        )
    wrong.raise_if_any()
    for place, product in enumerate(request.product_ids):
        if not product:
            wrong.add(f"product_ids[{place}]", "must name a product")
    for place, review in enumerate(request.reviews):
        if not review.strip():
            wrong.add(f"reviews[{place}]", "must hold more than whitespace")
        elif len(review) > MOST_REVIEW_CHARACTERS:
            wrong.add(
                f"reviews[{place}]",
                f"must be at most {MOST_REVIEW_CHARACTERS} characters, got {len(review)}",
            )
    wrong.raise_if_any()
