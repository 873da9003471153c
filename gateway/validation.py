"""What texts and identifiers of a request must be; each check notes its field's name."""

import re
import unicodedata
from collections.abc import Sequence

from runtime.serving.errors import Violations

MOST_QUERY_CHARACTERS = 512
MOST_PREFIX_CHARACTERS = 128
MOST_ID_BYTES = 128
MOST_RECENT_QUERIES = 10
MOST_KEYS = 20
EXPLAIN_LANGUAGES = ("zh", "en")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Format characters (zero-width joiners in emoji) are welcome beside something that can be seen.
_INVISIBLE_CATEGORIES = ("Cf", "Zs", "Zl", "Zp")


def check_query(violations: Violations, field: str, query: str) -> None:
    """Note a query that is empty, blank, too long, or holds control characters."""
    _check_text(violations, field, query, MOST_QUERY_CHARACTERS)


def check_prefix(violations: Violations, field: str, prefix: str) -> None:
    """Note the beginning of a query that is empty, blank, too long, or holds control characters."""
    _check_text(violations, field, prefix, MOST_PREFIX_CHARACTERS)


def _check_text(violations: Violations, field: str, query: str, most: int) -> None:
    if len(query) > most:
        violations.add(field, f"must be at most {most} characters, got {len(query)}")
        return
    _check_control(violations, field, query)
    if all(unicodedata.category(character) in _INVISIBLE_CATEGORIES for character in query):
        violations.add(field, "must hold at least one visible character")


def check_recent_queries(violations: Violations, field: str, queries: Sequence[str]) -> None:
    """Note too many recent queries, and each that could not have been a query."""
    if len(queries) > MOST_RECENT_QUERIES:
        violations.add(field, f"must hold at most {MOST_RECENT_QUERIES} queries, got {len(queries)}")
        return
    for position, query in enumerate(queries):
        check_query(violations, f"{field}[{position}]", query)


def check_keys(violations: Violations, field: str, keys: Sequence[str]) -> None:
    """Note too many keys of constraints, and those too long to be any."""
    if len(keys) > MOST_KEYS:
        violations.add(field, f"must hold at most {MOST_KEYS} keys, got {len(keys)}")
        return
    for position, key in enumerate(keys):
        check_optional_id(violations, f"{field}[{position}]", key)


def check_explain_language(violations: Violations, field: str, language: str) -> None:
    """Note a language that explanations are not given in; it may be empty."""
    if language not in ("", *EXPLAIN_LANGUAGES):
        violations.add(field, f"must be {' or '.join(EXPLAIN_LANGUAGES)}, or empty, got {language!r}")


def check_id(violations: Violations, field: str, identifier: str) -> None:
    """Note an identifier that is empty, too long, or holds control characters."""
    if not identifier:
        violations.add(field, f"must be 1 to {MOST_ID_BYTES} bytes, got none")
    check_optional_id(violations, field, identifier)


def check_optional_id(violations: Violations, field: str, identifier: str) -> None:
    """Note an identifier that is too long or holds control characters; it may be empty."""
    size = len(identifier.encode())
    if size > MOST_ID_BYTES:
        violations.add(field, f"must be at most {MOST_ID_BYTES} bytes, got {size}")
    _check_control(violations, field, identifier)


def _check_control(violations: Violations, field: str, text: str) -> None:
    if found := _CONTROL.search(text):
        violations.add(
            field, f"must hold no control characters, got U+{ord(found[0]):04X} at position {found.start()}"
        )
