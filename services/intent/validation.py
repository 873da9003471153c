"""What a query must be before it is read."""

import unicodedata

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from runtime.serving.errors import Violations

MOST_CHARACTERS = 512
MOST_RECENT = 10


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
