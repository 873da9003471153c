"""Values of the benchmark's command line: each reads a text, or raises ArgumentTypeError or ValueError."""

import argparse
from collections.abc import Callable, Sequence

from bench.mixes import ratio as read_ratio

MOST_SECONDS = 600.0
PROCESSES = ("gateway", "intent", "retrieval", "ranking")


def metrics(text: str) -> dict[str, str]:
    """Read `gateway=host:port,…`; raises argparse.ArgumentTypeError."""
    found = {}
    for part in filter(None, text.split(",")):
        name, _, address = part.partition("=")
        if name not in PROCESSES or ":" not in address:
            raise argparse.ArgumentTypeError(
                f"must name {', '.join(PROCESSES)} as name=host:port, got {part!r}"
            )
        found[name] = address
    return found


def ratio(text: str) -> dict[str, float]:
    """Read calls by ratio."""
    try:
        return read_ratio(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be such as search=8,recommend=1,events=1, got {text!r}"
        ) from error


def rates(text: str) -> list[float]:
    """Read calls a second, with commas."""
    return list(dict.fromkeys(positive(part) for part in text.split(",") if part))


def seconds(text: str) -> float:
    """Read seconds, at most ten minutes."""
    return within(text, MOST_SECONDS)


def positive(text: str) -> float:
    """Read a number above 0."""
    return within(text, 1e6)


def within(text: str, most: float) -> float:
    """Read a number above 0 and at most `most`."""
    value = float(text)
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {most:g}, got {text}")
    return value


def share(text: str) -> float:
    """Read a share, 0 to 1."""
    return between(text, 0, 1)


def between(text: str, least: float, most: float) -> float:
    """Read a number between bounds."""
    value = float(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"must be {least:g} to {most:g}, got {text}")
    return value


def integer(text: str, least: int, most: int) -> int:
    """Read a whole number between bounds."""
    value = int(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"must be {least} to {most:,}, got {text}")
    return value


def count(text: str) -> int:
    """Read a number of connections."""
    return integer(text, 1, 256)


def queries(text: str) -> int:
    """Read a number of queries."""
    return integer(text, 1, 100_000)


def processes(text: str) -> int:
    """Read a number of load processes."""
    return integer(text, 1, 32)


def points(text: str) -> int:
    """Read a number of measurements."""
    return integer(text, 1, 30)


def rounds(text: str) -> int:
    """Read a number of rounds."""
    return integer(text, 3, 50)


def users(text: str) -> int:
    """Read a number of users."""
    return integer(text, 0, 1_000_000)


def integers(least: int, most: int) -> Callable[[str], list[int]]:
    """Return what reads whole numbers between bounds, with commas, ascending."""

    def read(text: str) -> list[int]:
        found = sorted({integer(part, least, most) for part in text.split(",") if part})
        if not found:
            raise argparse.ArgumentTypeError(f"must name at least one number, got {text!r}")
        return found

    return read


def names(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what reads some of the `known` names, with commas, in their own order."""

    def read(text: str) -> list[str]:
        asked = [name for name in text.split(",") if name]
        if not asked or set(asked) - set(known):
            raise argparse.ArgumentTypeError(f"must be of {', '.join(known)}, got {text!r}")
        return [name for name in known if name in asked]

    return read
