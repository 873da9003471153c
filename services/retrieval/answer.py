"""An answer of the index, and how it is put together from the scores of the channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.retrieval.v1.retrieval_pb2 import Candidates, ChannelColumn
from services.retrieval import fusion
from services.retrieval.fusion import Rows, Scores
from services.retrieval.history import taste
from services.retrieval.rows import CatalogRows
from services.retrieval.vectors import inner_products


@dataclass(frozen=True)
class Retrieved:
    """An answer of the index.

    `matched` counts the products that any channel found before the cut at the limit; `history` holds the
    known products of the history in the order asked; `seconds` says how long each stage took.
    """

    candidates: Candidates
    history: ProductColumns
    matched: int
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Channel:
    """One channel's scores of all rows, float32 [n]; it finds the rows that score above `floor`."""

    name: str
    scores: Scores
    floor: float = -np.inf

    def column(self, rows: Rows) -> ChannelColumn:
        """Return the channel's scores and ranks of `rows`; both are 0 where it did not find them."""
        scores = self.scores[rows]
        return ChannelColumn(
            channel=self.name,
            scores=np.where(scores > self.floor, scores, 0).tolist(),
            ranks=fusion.ranks(self.scores, rows, self.floor).tolist(),
        )


def candidates(
    catalog: CatalogRows, rows: Rows, fused: Scores, channels: Sequence[Channel], history: Rows
) -> Candidates:
    """Return the candidates in `rows`, best first; `fused` holds the fused scores of all rows."""
    return Candidates(
        products=catalog.take(rows),
        fused_scores=fused[rows].tolist(),
        channels=[channel.column(rows) for channel in channels],
        history_affinities=_affinities(catalog, rows, history).tolist(),
    )


def _affinities(catalog: CatalogRows, rows: Rows, history: Rows) -> Scores:
    if not history.size or not rows.size:
        return np.zeros(rows.size, np.float32)
    return inner_products(catalog.vectors.at(rows), taste(catalog.vectors.at(history)))
