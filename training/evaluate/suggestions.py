"""How soon real queries are suggested: the Best Buy sample, its products as the catalogue.

Its queries are those of a whole shop, its products one branch of it, so most queries can never be suggested.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.index import CatalogIndex
from training.evaluate.figures import Figure
from training.evaluate.metrics import interval

NAME = "bestbuy_catalog"
FIGURE = f"{NAME}/suggest/recall@8"
PRODUCTS, QUERIES = "ecommerce.json.gz", "query_suggestions.json.gz"
_OFFERED = 8


def suggestion_figures(data: Path | None) -> dict[str, Figure]:
    """The share of the queries that are among the first eight suggestions once half of their characters are
    typed; nothing when `data` does not hold the set."""
    folder = data / NAME if data else Path(NAME)
    if not ((folder / PRODUCTS).is_file() and (folder / QUERIES).is_file()):
        return {}
    index = CatalogIndex(1)
    products = [_product(number, row) for number, row in enumerate(_rows(folder / PRODUCTS))]
    index.upsert(products, np.zeros((len(products), 1), np.float32))
    offered = [float(_offered(index, row["query"].lower())) for row in _rows(folder / QUERIES)]
    low, high = interval(offered)
    return {FIGURE: Figure(float(np.mean(offered)), low, high, len(offered))}


def _offered(index: CatalogIndex, query: str) -> bool:
    typed = query[: (len(query) + 1) // 2]
    return query in [each.text.lower() for each in index.suggester.suggest(typed, _OFFERED)]


def _product(number: int, row: dict[str, Any]) -> Product:
    return Product(
        id=str(number),
        title={"en": row["name"]},
        brand=row["brand"] or "",
        category_path=row["categories"],
        review_count=row["popularity"],
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = json.load(file)
    return rows
