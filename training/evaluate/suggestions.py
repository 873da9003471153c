"""How soon real queries are suggested: the Best Buy sample, its products as the catalogue.

Its queries are those of a whole shop, its products one branch of it, so most queries can never be suggested:
those whose words some product holds are told apart. Half of all queries are taken as past ones.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.analyser import analyse
from services.retrieval.index import CatalogIndex
from services.retrieval.text import lexical_terms
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.suggesting import past_queries
from training.evaluate.bestbuy import NAME, is_bestbuy, read_products, rows
from training.evaluate.figures import Figure
from training.evaluate.metrics import interval

FIGURE = f"{NAME}/suggest/recall@8"
QUERIES = "query_suggestions.json.gz"
_OFFERED = 8
_TYPED = (1, 3, 5, 0)  # characters; 0 for half of the query


def suggestion_figures(data: Path | None) -> dict[str, Figure]:
    """Whether and where the queries are among the first eight suggestions once some of their characters are
    typed; nothing when `data` does not hold the set.

    suggest: every query, half typed. Of those whose words some product holds: `new`, the half that is not
    past, without and `with_past` queries known; `past`, the other half, once known.
    """
    folder = data / NAME if data else Path(NAME)
    if not (is_bestbuy(folder) and (folder / QUERIES).is_file()):
        return {}
    products = read_products(folder)
    queries = past_queries({row["query"]: row.get("popularity", 1) for row in rows(folder / QUERIES)})
    past = {query: times for query, times in queries.items() if _is_past(query)}
    plain, knowing = _index(products, {}), _index(products, past)
    holders = _rows_by_term(products)
    held = [
        query for query in queries if set.intersection(*(holders.get(each, set()) for each in _terms(query)))
    ]
    new, old = [query for query in held if query not in past], [query for query in held if query in past]
    found = {FIGURE: _figure([float(place > 0) for place in _places(plain, queries, 0)])}
    for who, index, asked in (("new", plain, new), ("new_with_past", knowing, new), ("past", knowing, old)):
        for typed in _TYPED:
            found |= _figures(f"{NAME}/suggest_{who}_typed_{typed or 'half'}", _places(index, asked, typed))
    return found


def _index(products: Sequence[Product], past: Mapping[str, int]) -> CatalogIndex:
    index = CatalogIndex(1, words=QueryWords(past_queries=past))
    index.upsert(products, np.zeros((len(products), 1), np.float32))
    index.suggester.prepare().result()
    return index


def _rows_by_term(products: Sequence[Product]) -> dict[str, set[int]]:
    rows: dict[str, set[int]] = {}
    for row, product in enumerate(products):
        for term in set(lexical_terms(product)):
            rows.setdefault(term, set()).add(row)
    return rows


def _terms(query: str) -> list[str]:
    return analyse(query) or [query]


def _is_past(query: str) -> bool:
    return hashlib.sha256(query.encode()).digest()[0] % 2 == 0


def _places(index: CatalogIndex, queries: Iterable[str], typed: int) -> list[int]:
    """Return the place of each query longer than `typed` among what is offered, from 1, 0 where it is not."""
    return [_place(index, query, typed or (len(query) + 1) // 2) for query in queries if len(query) > typed]


def _place(index: CatalogIndex, query: str, typed: int) -> int:
    offered = [each.text.lower() for each in index.suggester.suggest(query[:typed], _OFFERED)]
    return offered.index(query) + 1 if query in offered else 0


def _figures(name: str, places: Sequence[int]) -> dict[str, Figure]:
    if not places:
        return {}
    return {
        f"{name}/recall@8": _figure([float(place > 0) for place in places]),
        f"{name}/mrr@8": _figure([1 / place if place else 0.0 for place in places]),
    }


def _figure(values: Sequence[float]) -> Figure:
    low, high = interval(values)
    return Figure(float(np.mean(values)), low, high, len(values))
