"""What a query must be before it is read."""

import unicodedata

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from runtime.serving.errors import Violations

MOST_CHARACTERS = 512


def check(request: UnderstandRequest) -> None:
    """Raise InvalidArgument unless the query is 1 to 512 characters of text."""
    wrong = Violations()
    query = request.query
    if not query.strip():
        wrong.add("query", "must hold more than whitespace")
    elif len(query) > MOST_CHARACTERS:
        wrong.add("query", f"must be at most {MOST_CHARACTERS} characters, got {len(query)}")
    elif any(unicodedata.category(character) == "Cc" for character in query):
        wrong.add("query", "must not hold control characters")
    wrong.raise_if_any()
