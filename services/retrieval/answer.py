"""An answer of the index, and how it is put together from the scores of the channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.retrieval.v1.retrieval_pb2 import Candidates, ChannelColumn
from services.retrieval import fusion
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.history import taste
from services.retrieval.inner_products import inner_products
from services.retrieval.rows import CatalogRows
from services.retrieval.selection import Selected


@dataclass(frozen=True)
class Retrieved:
    """An answer of the index.

    `selected` says what of the matches was let through before the cut at the limit; `history` holds the
    known products of the history in the order asked; `seconds` says how long each stage took.
    `lexical_weight` is what one deviation of the lexical scores counted beside one of the dense ones, 0 when
    they were not fused.
    """

    candidates: Candidates
    history: ProductColumns
    selected: Selected
    seconds: Mapping[str, float] = field(default_factory=dict)
    lexical_weight: float = 0.0

    @property
    def matched(self) -> int:
        """Number of products that match and are let through, before the cut at the limit."""
        return self.selected.total.value


@dataclass(frozen=True)
class Channel:
    """One channel's scores of a pool of rows, float32 [pool]; it finds those that score above `floor`.

    `spread` is that of the whole catalogue's scores, None when the pool is the whole catalogue. A rank
    counts the better ones in the pool. It is exact for the channel's own best, which are all there; other
    rows' true rank may be higher.
    """

    name: str
    scores: Scores
    floor: float = -np.inf
    spread: Spread | None = None

    def measured(self) -> "Channel":
        """Return this channel of the whole catalogue with the spread of the scores it knows (finite ones)."""
        return replace(self, spread=Spread.of(self.scores[np.isfinite(self.scores)]))

    def pooled(self, rows: Rows) -> "Channel":
        """Return this channel of the whole catalogue as one of a pool of `rows`."""
        return replace(self, scores=self.scores[rows])

    def fill(self, column: ChannelColumn, places: Rows) -> None:
        """Write the channel's scores and ranks at `places` of the pool into an empty message.

        They are 0 where it found none.
        """
        scores = self.scores[places]
        column.channel = self.name
        column.scores.extend(np.where(scores > self.floor, scores, 0).tolist())
        column.ranks.extend(fusion.ranks(self.scores, places, self.floor).tolist())


@dataclass(frozen=True)
class Pool:
    """Rows [pool] that were scored by every channel, and their fused scores, float32 [pool]."""

    rows: Rows
    fused: Scores
    channels: Sequence[Channel]

    def candidates(self, catalog: CatalogRows, places: Rows, history: Rows) -> Candidates:
        """Return the candidates at `places` of the pool, best first."""
        rows, candidates = self.rows[places], Candidates()
        catalog.fill(candidates.products, rows)
        candidates.fused_scores.extend(self.fused[places].tolist())
        for channel in self.channels:
            channel.fill(candidates.channels.add(), places)
        _relate(candidates, catalog, rows, history)
        return candidates


def _relate(candidates: Candidates, catalog: CatalogRows, rows: Rows, history: Rows) -> None:
    """Write how near the candidates are to the history as a whole, and to each product of it."""
    if not history.size or not rows.size:
        candidates.history_affinities.extend([0.0] * rows.size)
        return
    embeddings, past = catalog.vectors.at(rows), catalog.vectors.at(history)
    candidates.history_affinities.extend(inner_products(embeddings, taste(past)).tolist())
    cosines = np.stack([inner_products(embeddings, each) for each in past])
    candidates.history_cosines = np.rint(np.clip(cosines, -1, 1) * 127).astype(np.int8).tobytes()
