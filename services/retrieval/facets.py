"""What the matches hold in a field: how many of each value, or in each range."""

import re

import numpy as np

from aisle.catalog.v1.matches_pb2 import Facet, FacetValue
from runtime.serving.errors import InvalidArgument
from services.retrieval.counting import count
from services.retrieval.filters.evaluation import ATTRIBUTES, NUMBERS
from services.retrieval.ranges import ranges, round_bounds, star_bounds
from services.retrieval.rows import CatalogRows
from services.retrieval.values import Mask, ValuesColumn

_TEXTS = ("brand", "category", "availability", "currency")
_LEVEL = re.compile(r"category\.([1-9])")
_MOST_KEYS_TOLD = 50


def filtered_field(name: str) -> str:
    """Return the field of a filter that chooses among the values of the facet `name`."""
    return "category" if _LEVEL.fullmatch(name) else name


def facet(name: str, limit: int, catalog: CatalogRows, mask: Mask, unseen: int = 0) -> Facet:
    """Return the facet of the rows in `mask`, bool [n], with at most `limit` values or ranges.

    `unseen` is how many products may belong to the mask beside those in it. Raises InvalidArgument on a field
    that has no facet.
    """
    if name in NUMBERS:
        return _numbers(name, limit, catalog, mask, unseen)
    return _values(name, limit, _column(name, catalog), mask, unseen)


def _values(name: str, limit: int, column: ValuesColumn, mask: Mask, unseen: int) -> Facet:
    listed, other = column.tally(mask, limit)
    return Facet(
        field=name,
        values=[FacetValue(value=text, count=count(held, unseen)) for text, held in listed],
        other=count(other, unseen),
    )


def _numbers(name: str, limit: int, catalog: CatalogRows, mask: Mask, unseen: int) -> Facet:
    held = catalog.columns.numbers(mask.size)[name][mask]
    known = held[np.isfinite(held)]
    if not known.size:
        return Facet(field=name, other=count(0, unseen))
    bounds = star_bounds() if name == "rating" else round_bounds(known, limit)
    return Facet(
        field=name,
        ranges=ranges(known, bounds, unseen),
        other=count(0, unseen),
        least=float(known.min()),
        greatest=float(known.max()),
    )


def _column(name: str, catalog: CatalogRows) -> ValuesColumn:
    columns = catalog.columns
    if name in _TEXTS:
        return columns.texts(name)
    if level := _LEVEL.fullmatch(name):
        place = int(level[1]) - 1
        return columns.levels[place] if place < len(columns.levels) else ValuesColumn()
    room, _, key = name.partition(".")
    if room == ATTRIBUTES and key and (key in columns.attributes or not len(catalog)):
        return columns.attributes.get(key, ValuesColumn())
    raise InvalidArgument({"facets": f"there is no facet {name[:60]!r}; expected one of {_known(catalog)}"})


def _known(catalog: CatalogRows) -> str:
    keys = sorted(catalog.columns.attributes)
    told = [f"{ATTRIBUTES}.{key}" for key in keys[:_MOST_KEYS_TOLD]]
    return ", ".join([*_TEXTS, "category.1 to category.9", *NUMBERS, *told])
