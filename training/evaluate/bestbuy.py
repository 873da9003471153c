"""The Best Buy sample, 3,291 products of its phones branch (Apache-2.0), and a shop searched by numbers."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from aisle.catalog.v1.product_pb2 import Product
from training.evaluate.metrics import FULL_GAIN
from training.evaluate.sets import EvaluationSet, JudgedQuery

NAME = "bestbuy_catalog"
PRODUCTS = "ecommerce.json.gz"
NUMBERED = "model_number_shop"
_MODEL = re.compile(r"\b(?=[A-Z-]*[0-9])(?=[0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{4,}\b")
_QUERIES, _SEED = 240, 5


def is_bestbuy(folder: Path) -> bool:
    """Whether the folder holds the products."""
    return folder.name == NAME and (folder / PRODUCTS).is_file()


def read_products(folder: Path) -> list[Product]:
    """All products, in the order of the file."""
    return [_product(number, row) for number, row in enumerate(rows(folder / PRODUCTS))]


def read_model_number_shop(folder: Path) -> EvaluationSet:
    """A shop that is searched by model numbers.

    Its products are those in whose title or description stands a model number (capitals and digits, five or
    more characters) that no other product of the sample has, about 1,100. Queries are drawn from these
    numbers, in lower case and by turns alone, after the brand, and after the brand with blanks for hyphens;
    the one product with that number is relevant.
    """
    products = read_products(folder)
    named = [set(_MODEL.findall(f"{each.title['en']} {each.description['en']}")) for each in products]
    holders = Counter(number for numbers in named for number in numbers)
    own = [
        (product, min(unique))
        for product, numbers in zip(products, named, strict=True)
        if (unique := [number for number in numbers if holders[number] == 1])
    ]
    drawn = Random(_SEED).sample(own, min(_QUERIES, len(own)))
    queries = [
        JudgedQuery(_typed(product.brand, number, place % 3), {product.id: FULL_GAIN})
        for place, (product, number) in enumerate(drawn)
    ]
    return EvaluationSet(NUMBERED, [product for product, _ in own], {NUMBERED: queries}, ("mrr@10",))


def rows(path: Path) -> list[dict[str, Any]]:
    """What a gzipped JSON list holds."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


def _typed(brand: str, number: str, way: int) -> str:
    texts = (number, f"{brand} {number}", f"{brand} {number.replace('-', ' ')}")
    return texts[way].lower()


def _product(number: int, row: dict[str, Any]) -> Product:
    return Product(
        id=str(number),
        title={"en": row["name"]},
        description={"en": row.get("description") or ""},
        brand=row["brand"] or "",
        category_path=row["categories"],
        review_count=row["popularity"],
    )
