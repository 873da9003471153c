"""Cells of a row as texts, numbers and times; what cannot be read is a problem of its row, never a gap."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

_AMOUNT = r"(\d{1,3}(,\d{3})+|\d+)(\.\d*)?|\.\d+"
_NUMBER = re.compile(rf"[+-]?(({_AMOUNT})(e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")

Values = dict[str, Any]


class RowProblem(Exception):
    """A row is no product; the message names the column or field and what is wrong with it."""


def text(values: Values, column: str) -> str:
    """Return a column's text without surrounding blanks, empty where there is none."""
    held = values.get(column) if column else None
    if isinstance(held, list):
        return " ".join(_plain(each, column) for each in held).strip()
    return _plain(held, column)


def texts(values: Values, column: str) -> list[str]:
    """Return the distinct texts of a column that holds one or a list of them."""
    held = values.get(column)
    parts = (_plain(each, column) for each in (held if isinstance(held, list) else [held]))
    return list(dict.fromkeys(part for part in parts if part))


def number(values: Values, column: str) -> float | None:
    """Return a column's number, None where it is empty; commas may part thousands and nothing else."""
    held = values.get(column) if column else None
    if held is None or (isinstance(held, str) and not held.strip()):
        return None
    written = str(held).strip()
    if isinstance(held, bool) or not _NUMBER.fullmatch(written):
        raise RowProblem(f"column {column!r} must be a number, got {held!r}")
    return float(written.replace(",", ""))


def whole_number(values: Values, column: str) -> int | None:
    """Return a column's whole number of 0 or more, None where it is empty."""
    found = number(values, column)
    if found is None:
        return None
    if not math.isfinite(found) or found != int(found) or not 0 <= found < 2**31:
        raise RowProblem(f"column {column!r} must be a whole number from 0, got {found:g}")
    return int(found)


def instant(values: Values, column: str) -> datetime | None:
    """Return a column's time (ISO 8601, or seconds since 1970) in UTC, None where it is empty."""
    held = values.get(column) if column else None
    if held is None or held == "":
        return None
    try:
        found = _instant(held)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise RowProblem(f"column {column!r} is no time: {held!r}") from error


def _instant(held: object) -> datetime:
    if isinstance(held, datetime):
        return held
    if isinstance(held, date):
        return datetime(held.year, held.month, held.day, tzinfo=UTC)
    if isinstance(held, bool):
        raise TypeError("a truth value is no time")
    if isinstance(held, int | float) or str(held).isdigit():
        return datetime.fromtimestamp(float(str(held)), UTC)
    return datetime.fromisoformat(str(held))


def _plain(held: object, column: str) -> str:
    if held is None or (isinstance(held, float) and math.isnan(held)):
        return ""
    if isinstance(held, dict | list | bytes):
        raise RowProblem(f"column {column!r} must be a text, got {type(held).__name__}")
    if isinstance(held, float) and held.is_integer():
        return str(int(held))  # ids that passed through a spreadsheet
    written = str(held)
    if _SURROGATE.search(written):
        raise RowProblem(f"column {column!r} holds half a character (an unpaired surrogate)")
    return written.strip()
