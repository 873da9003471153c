"""Looking for a cue right before a place in a query."""

import re

# No cue with its fillers is longer; looking at all that stands before would make long queries quadratic.
_REACH = 48


def ending(pattern: re.Pattern[str], folded: str, end: int) -> re.Match[str] | None:
    """Return the match of a pattern that ends with `$` in the last characters before `end`."""
    return pattern.search(folded, max(0, end - _REACH), end)
