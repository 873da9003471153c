"""What of a product Milvus filters by: one JSON field, in which every key is always there.

A missing key compares differently in each version of Milvus, so an unknown number is −1 and an unknown text
is empty. Texts are folded (one case, one width), numbers are floating, and attributes are one list of
`key` and `key=value`, the key percent-encoded: paths of JSON cannot hold every key.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.columns import AVAILABILITIES, MOST_LEVELS
from services.retrieval.folding import fold

UNKNOWN = -1.0


def facts(product: Product) -> dict[str, Any]:
    """Return the JSON field of a product."""
    paths = list(dict.fromkeys(_paths(product)))
    return {
        "price": product.price.amount if product.HasField("price") else UNKNOWN,
        "rating": product.rating if product.HasField("rating") else UNKNOWN,
        "review_count": float(product.review_count),
        "create_seconds": float(product.create_time.seconds),
        "brand": fold(product.brand),
        "category": paths[-1] if paths else "",
        "currency": fold(product.price.currency_code),
        "group": fold(product.group_id),
        "availability": AVAILABILITIES[product.availability],
        "categories": paths,
        "attributes": list(dict.fromkeys(_attributes(product))),
    }


def attribute(key: str, value: str | None = None) -> str:
    """Return the entry of an attribute's value, or of its having any."""
    return quote(key, safe="") + ("" if value is None else f"={fold(value)}")


def _paths(product: Product) -> Iterator[str]:
    """Yield the path of the category cut at each level, the whole one last."""
    path = product.category_path
    for level in (*range(1, min(len(path), MOST_LEVELS) + 1), len(path)):
        text = fold("/".join(path[:level]))
        if text:
            yield text


def _attributes(product: Product) -> Iterator[str]:
    for key, held in product.attributes.items():
        for value in held.values:
            if value and not value.isspace():
                yield attribute(key)
                yield attribute(key, value)
