"""What a field is compared with, read as the field's type."""

import math
import re
from datetime import UTC, date, datetime, time, timedelta

from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import Value

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAY_SECONDS = 86_400


def number(field: str, value: Value) -> float:
    """Return a finite number. Raises FilterError on anything else, NaN and infinity among it."""
    found = float(value.text) if not value.is_string and _NUMBER.fullmatch(value.text) else math.nan
    if not math.isfinite(found):
        raise FilterError(
            value.position, f"{field} is a number: expected one such as 19.9 without quotes, {_found(value)}"
        )
    return found


def instant(field: str, value: Value) -> tuple[int, int]:
    """Return the first second of a date (UTC) or time, and the first one after it, since 1970.

    A date is its whole day, a time its whole second. Raises FilterError on anything else.
    """
    try:
        if _DATE.fullmatch(value.text):
            day = datetime.combine(date.fromisoformat(value.text), time(), UTC)
            start = _seconds(day)
            return start, start + _DAY_SECONDS
        moment = datetime.fromisoformat(value.text)
    except ValueError as error:
        raise _no_time(field, value) from error
    if moment.tzinfo is None:
        raise _no_time(field, value)
    start = _seconds(moment)
    return start, start + 1


def choice(field: str, value: Value, choices: tuple[str, ...]) -> str:
    """Return one of `choices`, in any case. Raises FilterError on anything else."""
    found = value.text.strip().lower()
    if found not in choices:
        raise FilterError(value.position, f"{field} is one of {', '.join(choices)}; {_found(value)}")
    return found


def _seconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def _no_time(field: str, value: Value) -> FilterError:
    return FilterError(
        value.position,
        f"{field} is a time: expected a date such as 2026-03-01 or a time with its zone such as "
        f'"2026-03-01T12:00:00Z", {_found(value)}',
    )


def _found(value: Value) -> str:
    return f"found {'the string ' if value.is_string else ''}{value.text[:40]!r}"
