"""What a search is asked: a query's words as they were matched, and what every search has in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.retrieval.answer import Channel
from services.retrieval.collaborative_rows import COLLABORATIVE
from services.retrieval.fusion import Scores, Spread
from services.retrieval.selection import EVERYTHING, Selection
from services.retrieval.values import Mask


@dataclass(frozen=True)
class LexicalMatch:
    """A query's BM25 scores, float32 [n], their spread, and the state of the index they were computed on.

    `emphasis`: what the lexical weight is multiplied by for this query, as `weighting` tells.
    """

    query: str
    scores: Scores
    spread: Spread
    emphasis: float
    state: int
    seconds: float

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
