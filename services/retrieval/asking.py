"""What a search is asked: a query's words as they were matched, and what every search has in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.retrieval.answer import Channel
from services.retrieval.collaborative_rows import COLLABORATIVE
from services.retrieval.fusion import Scores, Spread
from services.retrieval.inner_products import Vectors
from services.retrieval.matching import Cuts
from services.retrieval.scored import Scored
from services.retrieval.selection import EVERYTHING, Selection
from services.retrieval.values import Mask


@dataclass(frozen=True)
class Best:
    """The best of the whole catalogue as a search found them, and all that they depend on beside the words.

    `state` is that of the embeddings; `scored` holds the pool, `cuts` say what matches.
    """

    embedding: Vectors
    limit: int
    history_ids: Sequence[str]
    state: int
    scored: Scored
    cuts: Cuts

    def are_of(self, embedding: Vectors, ask: "Ask", state: int) -> bool:
        """Whether a search would find these again."""
        alike = self.limit == ask.limit and list(self.history_ids) == list(ask.history_ids)
        return alike and np.array_equal(self.embedding, embedding) and self.state == state


@dataclass(frozen=True)
class LexicalMatch:
    """A query's BM25 scores, float32 [n], their spread, and the state of the index they were computed on.

    `emphasis`: what the lexical weight is multiplied by for this query, as `weighting` tells. `best` holds
    what the last search with these words found of the whole catalogue: a query that is searched for once more
    under a filter needs only what the filter lets through.
    """

    query: str
    scores: Scores
    spread: Spread
    emphasis: float
    state: int
    seconds: float
    best: list[Best] = field(default_factory=list, compare=False, repr=False)

    @property
    def channel(self) -> Channel:
        """The channel of all rows."""
        return Channel("lexical", self.scores, floor=0.0)


@dataclass(frozen=True)
class Ask:
    """What every search has in common.

    `limit` candidates are wanted; `history_ids` are the user's products, newest first; only rows of
    `allowed`, bool [n], are answered with, and of those only what `wish` lets through. `collaborative`,
    float32 [n], is what users with such a history turned to next, −inf for unknown products; None when
    nothing is known of that.
    """

    limit: int = 200
    history_ids: Sequence[str] = ()
    allowed: Mask | None = None
    wish: Selection = EVERYTHING
    collaborative: Scores | None = None

    @property
    def beside(self) -> list[Channel]:
        """What is told of the user's next products beside the channels that find by query, of all rows."""
        return [] if self.collaborative is None else [Channel(COLLABORATIVE, self.collaborative)]

    @property
    def narrows(self) -> bool:
        """Whether the best candidates alone would not do: others take the places of those left out."""
        wish = self.wish
        return (
            self.allowed is not None or wish.filter is not None or bool(wish.facets) or wish.collapse_variants
        )
