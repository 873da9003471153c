"""The products that Milvus found for one request, as rows that are scored and selected as in process."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.matches_pb2 import EmptyReason
from aisle.catalog.v1.product_pb2 import Product
from services.retrieval import fusion
from services.retrieval.answer import Pool, Retrieved
from services.retrieval.columns import ColumnStore
from services.retrieval.conditions import Condition, conditions_of
from services.retrieval.counting import count
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.milvus.search import Hits
from services.retrieval.rows import CatalogRows, Change
from services.retrieval.selection import Selected, Selection, select
from services.retrieval.values import Mask, ValuesColumn


@dataclass(frozen=True)
class Wanted:
    """What a request wants: the selection, `limit` candidates; the user's products come newest first."""

    wish: Selection
    limit: int
    history_ids: Sequence[str]


class FoundRows:
    """Products found, and the numbers that say what was not looked at.

    `whole` is the number of products in the catalogue, `attributes` the keys that any of them has.
    """

    def __init__(self, found: Sequence[Hits], dimension: int, whole: int, attributes: Sequence[str]) -> None:
        self.rows = CatalogRows(dimension)
        for hits in found:
            for product, embedding in zip(hits.products, hits.embeddings, strict=True):
                if self.rows.row(product.id) is None:
                    self.rows.put(unsearched(product), embedding)
        declare(self.rows.columns, attributes)
        self.unseen = max(whole - len(self.rows), 0)
        self._whole = whole

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def everything(self) -> Rows:
        """All rows."""
        return np.arange(len(self))

    def conditions(self, wish: Selection) -> list[Condition]:
        """Return the conditions of the wish's filter."""
        return conditions_of(wish.filter, self.rows)

    def spread_out(self, scores: dict[str, float]) -> Scores:
        """Return the scores of products by id as those of the rows, float32 [n], 0 for others."""
        return np.array([scores.get(each, 0.0) for each in self.rows.ids()], np.float32)

    def spread(self, scores: Scores, expected: Spread) -> Spread:
        """Return the spread of a channel's scores over the catalogue, `expected` before any was found.

        scores: float32 [n], of the found rows, the best of all among them. Terms that come together spread
        more than is expected of independent ones, and the best scores alone may show that they do.
        """
        squares = float((scores.astype(np.float64) ** 2).sum()) / max(self._whole, 1)
        deviation = math.sqrt(max(squares - expected.mean**2, expected.deviation**2))
        return Spread(expected.mean, deviation)

    def selected(
        self,
        wanted: Wanted,
        matching: Mask,
        fused: Scores,
        *,
        beside: Mask | None = None,
        nothing: "EmptyReason.ValueType" = EmptyReason.EMPTY_REASON_NOTHING_ELSE,
    ) -> Selected:
        """Return what of the `matching` rows, bool [n], the wish lets through; counts tell of the unseen."""
        chosen = select(
            self.rows,
            wanted.wish,
            self.conditions(wanted.wish),
            matching,
            fused,
            beside=beside,
            nothing=nothing,
            unseen=self.unseen,
        )
        emptiness = chosen.emptiness
        if emptiness is not None and self._whole:
            if not len(self):
                emptiness.reason = nothing
            for counted in (emptiness.without_filter, emptiness.without_condition):
                if emptiness.reason == EmptyReason.EMPTY_REASON_FILTERED:
                    counted.CopyFrom(count(counted.value, self.unseen))
        return chosen

    def answer(self, pool: Pool, places: Rows, wanted: Wanted, selected: Selected) -> Retrieved:
        """Return the answer with the candidates at `places` of the pool, best first."""
        history = self.rows.known(wanted.history_ids)
        candidates = pool.candidates(self.rows, places, history)
        candidates.variants.extend(selected.variants(pool.rows[places]))
        known = ProductColumns()
        self.rows.fill(known, history)
        return Retrieved(candidates, known, selected)


def unsearched(product: Product) -> Change:
    """Return what putting a product changes whose words Milvus searches."""
    return Change(product, product.SerializeToString(), None, None, None, renamed=False)


def best_of(rows: Mask, fused: Scores, limit: int) -> Rows:
    """Return the `limit` best of the rows in a mask, bool [n], best first."""
    places = np.flatnonzero(rows)
    return places[fusion.best(fused[places], limit)]


def declare(columns: ColumnStore, attributes: Sequence[str]) -> None:
    """Make attributes known that none of the rows may have: filters and facets may name them."""
    for key in attributes:
        columns.attributes.setdefault(key, ValuesColumn())


def counted(selected: Selected, total: int) -> Selected:
    """Return what was selected with its total known exactly, unless variants were collapsed."""
    return selected if selected.groups is not None else replace(selected, total=count(total))
