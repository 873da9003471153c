"""What a product must be before it is sent; the limits are those of product.proto."""

import math
import re

from aisle.catalog.v1.product_pb2 import Product
from catalog.cells import RowProblem

_MOST_ID_BYTES = 128
_MOST_TITLE = 2_000
_MOST_DESCRIPTION = 10_000
_CURRENCY = re.compile("[A-Z]{3}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check(product: Product) -> None:
    """Raise RowProblem naming the first field that breaks a limit."""
    size = len(product.id.encode())
    _require(1 <= size <= _MOST_ID_BYTES, "id", f"must be 1 to {_MOST_ID_BYTES} bytes, got {size}")
    _require(not _CONTROL.search(product.id), "id", "must not hold control characters")
    _require(any(title.strip() for title in product.title.values()), "title", "must not be empty")
    for field, texts, most in (
        ("title", product.title, _MOST_TITLE),
        ("description", product.description, _MOST_DESCRIPTION),
    ):
        for language, text in texts.items():
            _require(bool(language), field, "must name the language of each text")
            _require(
                len(text) <= most,
                f"{field}[{language}]",
                f"must be at most {most} characters, got {len(text)}",
            )
    if product.HasField("price"):
        amount, code = product.price.amount, product.price.currency_code
        _require(
            math.isfinite(amount) and amount >= 0, "price", f"must be finite and not negative, got {amount:g}"
        )
        _require(bool(_CURRENCY.fullmatch(code)), "price currency", f"must be an ISO 4217 code, got {code!r}")
    if product.HasField("rating"):
        _require(0 <= product.rating <= 5, "rating", f"must be 0 to 5, got {product.rating:g}")
    if product.HasField("positive_review_share"):
        share = product.positive_review_share
        _require(0 <= share <= 1, "positive_review_share", f"must be 0 to 1, got {share:g}")
    sizes = [side for image in product.images for side in (image.width, image.height)]
    _require(min(sizes, default=0) >= 0, "images", "must not have negative sizes")
    _require(product.review_count >= 0, "review_count", f"must not be negative, got {product.review_count}")


def _require(holds: bool, field: str, reason: str) -> None:
    if not holds:
        raise RowProblem(f"{field} {reason}")
