"""How soon real queries are suggested: the Best Buy sample, its products as the catalogue.

Its queries are those of a whole shop, its products one branch of it, so most queries can never be suggested.
"""

from pathlib import Path

import numpy as np

from services.retrieval.index import CatalogIndex
from training.evaluate.bestbuy import NAME, is_bestbuy, read_products, rows
from training.evaluate.figures import Figure
from training.evaluate.metrics import interval

FIGURE = f"{NAME}/suggest/recall@8"
QUERIES = "query_suggestions.json.gz"
_OFFERED = 8


def suggestion_figures(data: Path | None) -> dict[str, Figure]:
    """The share of the queries that are among the first eight suggestions once half of their characters are
    typed; nothing when `data` does not hold the set."""
    folder = data / NAME if data else Path(NAME)
    if not (is_bestbuy(folder) and (folder / QUERIES).is_file()):
        return {}
    index = CatalogIndex(1)
    products = read_products(folder)
    index.upsert(products, np.zeros((len(products), 1), np.float32))
    offered = [float(_offered(index, row["query"].lower())) for row in rows(folder / QUERIES)]
    low, high = interval(offered)
    return {FIGURE: Figure(float(np.mean(offered)), low, high, len(offered))}


def _offered(index: CatalogIndex, query: str) -> bool:
    typed = query[: (len(query) + 1) // 2]
    return query in [each.text.lower() for each in index.suggester.suggest(typed, _OFFERED)]
