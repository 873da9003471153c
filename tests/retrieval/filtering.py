"""A filter decided for one product at a time, as plainly as the language's rules are told."""

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.filters.syntax import And, Filter, Not, Restriction

_AVAILABILITIES = ("in_stock", "in_stock", "out_of_stock", "preorder")


def meets(tree: Filter, product: Product) -> bool:
    """Whether a product meets a filter."""
    if isinstance(tree, Restriction):
        return _restriction(tree, product)
    if isinstance(tree, Not):
        return not meets(tree.operand, product)
    decided = [meets(each, product) for each in tree.operands]
    return all(decided) if isinstance(tree, And) else any(decided)


def _restriction(asked: Restriction, product: Product) -> bool:
    name = asked.path[0]
    if name in ("price", "rating", "review_count"):
        return _number(asked, name, product)
    if name == "create_time":
        return _time(asked, product)
    held = [_folded(text) for text in _texts(asked.path, product) if text.strip()]
    wanted = asked.value.text if name == "id" else _folded(asked.value.text)
    if asked.value.is_any:
        return bool(held)
    if asked.comparator == "!=":
        return bool(held) and wanted not in held
    if name == "category" and asked.comparator == ":":
        return any(each == wanted or each.startswith(f"{wanted}/") for each in held)
    return wanted in held


def _texts(path: Sequence[str], product: Product) -> list[str]:
    if path[0] == "attributes":
        return list(product.attributes[path[1]].values) if path[1] in product.attributes else []
    one = {
        "id": product.id,
        "brand": product.brand,
        "category": "/".join(product.category_path),
        "availability": _AVAILABILITIES[product.availability],
        "currency": product.price.currency_code,
        "group": product.group_id,
    }
    return [one[path[0]]]


def _number(asked: Restriction, name: str, product: Product) -> bool:
    known = name == "review_count" or product.HasField(name)  # type: ignore[arg-type]
    if asked.value.is_any or not known:
        return known
    wanted = float(asked.value.text)
    if name == "price":
        return _compare(product.price.amount, asked.comparator, wanted, wanted, inclusive=True)
    held = product.rating if name == "rating" else product.review_count
    if name == "rating":
        # The product's rating is a float32: 4.6 is the float32 nearest to it on both sides.
        wanted = Product(rating=wanted).rating
    return _compare(held, asked.comparator, wanted, wanted, inclusive=True)


def _time(asked: Restriction, product: Product) -> bool:
    known = product.create_time.seconds != 0
    if asked.value.is_any or not known:
        return known
    start = datetime.fromisoformat(asked.value.text)
    length = timedelta(days=1) if len(asked.value.text) == 10 else timedelta(seconds=1)
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    end = start + length
    return _compare(
        product.create_time.seconds, asked.comparator, start.timestamp(), end.timestamp(), inclusive=False
    )


def _compare(held: float, comparator: str, start: float, end: float, *, inclusive: bool) -> bool:
    """Compare with the values from `start` to `end`, which itself counts only where `inclusive`."""
    below, above = held < start, held > end if inclusive else held >= end
    decided = {
        "<": below,
        ">": above,
        "<=": not above,
        ">=": not below,
        "=": not below and not above,
        ":": not below and not above,
        "!=": below or above,
    }
    return decided[comparator] and not math.isnan(held)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
