"""Past queries from a file: one a line, a tab, and how often it was put."""

from pathlib import Path

from runtime.settings import StartupError
from services.retrieval.words.suggesting import past_queries

_MOST_CHARACTERS = 128


def read_past_queries(path: Path) -> dict[str, int]:
    """Return the queries of `path` by their folded text, with their counts.

    Raises StartupError naming the file, or the line that is not as it should be and what it should be.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"--queries {path} cannot be read: {error}; name a UTF-8 text file") from error
    counted: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        query, tab, times = line.rpartition("\t")
        if not line.strip():
            continue
        if not (tab and query.strip() and times.isascii() and times.isdigit()):
            raise StartupError(
                f"{path}, line {number}: write the query, a tab and a whole number, got {line[:60]!r}"
            )
        if len(query) <= _MOST_CHARACTERS:
            counted[query] = counted.get(query, 0) + int(times)
    return past_queries(counted)
