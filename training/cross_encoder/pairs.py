"""A query and a passage as one text, which any model that reads text can be asked about."""

from typing import Protocol

CROSS_ENCODER = "cross_encoder"  # its name in a model store


class Prefixes(Protocol):
    """What tells the two parts apart: a base model has them, and a manifest."""

    @property
    def query_prefix(self) -> str: ...

    @property
    def passage_prefix(self) -> str: ...


def pair_text(prefixes: Prefixes, query: str, passage: str) -> str:
    """The text that a cross-encoder reads; a cut at its end costs the end of the passage."""
    return f"{prefixes.query_prefix}{query}\n{prefixes.passage_prefix}{passage}"
