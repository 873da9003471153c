"""What shelves show: the filters that make them, in the language that callers filter by."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import Shelf
from aisle.ranking.v1.ranking_pb2 import Surface

LATEST = 20  # products of the history whose categories are left out
_NEW_DAYS = 30
_SURFACES: dict[int, "Surface.ValueType"] = {
    Shelf.SHELF_NEW: Surface.SURFACE_NEW,
    Shelf.SHELF_ACROSS_CATEGORIES: Surface.SURFACE_ACROSS,
}
_MOST_CATEGORIES = 10
_MOST_CHARACTERS = 800  # of 2,000 that a filter may have in all


def both(one: str, other: str) -> str:
    """Return the filter that both filters make; an empty one excludes nothing."""
    return f"({one}) AND ({other})" if one.strip() and other else one or other


def newcomers(now: datetime) -> str:
    """Return the filter of products created in the last 30 days."""
    return f'create_time >= "{(now - timedelta(days=_NEW_DAYS)).astimezone(UTC):%Y-%m-%d}"'


def other_categories(products: Iterable[Product]) -> str:
    """Return the filter of products in none of the categories of `products`, at most ten; empty for none."""
    paths = dict.fromkeys("/".join(product.category_path) for product in products)
    quoted, length = [], 0
    for path in paths:
        length += len(path) + 6
        if path and '"' not in path and "\\" not in path and length <= _MOST_CHARACTERS:
            quoted.append(f'"{path}"')
    return f"NOT category:({' OR '.join(quoted[:_MOST_CATEGORIES])})" if quoted else ""


def shelf_surface(shelf: "Shelf.ValueType") -> "Surface.ValueType":
    """Return the surface that a shelf is ranked for."""
    return _SURFACES.get(shelf, Surface.SURFACE_HOME)
