"""Finding candidates in the rows of a catalogue: pooled from the channels, fused, matched and selected."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.matches_pb2 import EmptyReason
from services.retrieval import feedback, fusion, recommendation
from services.retrieval.answer import Channel, Pool, Retrieved
from services.retrieval.collaborative_rows import COLLABORATIVE
from services.retrieval.conditions import conditions_of, meeting
from services.retrieval.fusion import Rows, Scores, Spread
from services.retrieval.history import taste
from services.retrieval.matching import DEPTH, Cuts, matches_by_words
from services.retrieval.rows import CatalogRows
from services.retrieval.selection import EVERYTHING, Selected, Selection, select
from services.retrieval.values import Mask

# Each channel gives this many times the limit: at twice, .97 of the best 200 of 100,000 products are those
# that fusing the scores of all of them gives.
_DEPTH = 2
_NO_ROWS: Rows = np.zeros(0, np.intp)


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
        return self.allowed is not None or self.wish.filter is not None or bool(self.wish.facets)


@dataclass(frozen=True)
class _Scored:
    """A pool of a query's rows, and the standardised dense scores of it, float32 [pool]."""

    pool: Pool
    lexical: Scores
    dense: Scores


class Finder:
    """Searches the rows as they are. Not thread-safe: changes of the rows and searches must not overlap."""

    def __init__(self, rows: CatalogRows, lexical_weight: float, feedback_weight: float) -> None:
        self._rows = rows
        self._lexical_weight = lexical_weight
        self._feedback_weight = feedback_weight

    def by_meaning(
        self, words: LexicalMatch, embedding: NDArray[np.float32], ask: Ask, also: Sequence[str] = ()
    ) -> Retrieved:
        """Return the best products by words and meaning; those in `also` follow wherever they rank."""
        start = time.perf_counter()
        n, shown = len(self._rows), self._rows.known(also)
        conditions = conditions_of(ask.wish.filter, self._rows)
        rows = self._pooled(embedding, max(ask.limit, DEPTH), [words.channel], None, shown)
        scored = self._score(words, embedding, rows, ask)
        cuts = Cuts.of(words.scores, scored.dense, scored.pool.fused, ask.limit)
        if ask.narrows and rows.size < n:
            scored = self._score(words, embedding, np.arange(n), ask)
        dense_seconds = time.perf_counter() - start
        pool, matching = scored.pool, cuts.by_words(words.scores)
        matching[pool.rows] = cuts.matching(scored.lexical, scored.dense, pool.fused)
        unseen = n - int(np.count_nonzero(matching)) if pool.rows.size < n else 0
        selected = select(
            self._rows,
            ask.wish,
            conditions,
            _both(matching, ask.allowed),
            self._spread_out(pool),
            beside=_both(np.ones(n, np.bool_), ask.allowed),
            unseen=unseen,
        )
        places = _best_of(np.flatnonzero(selected.kept[pool.rows]), pool.fused, ask.limit)
        if places.size < ask.limit:
            others = np.flatnonzero(selected.others[pool.rows])
            places = np.concatenate([places, _best_of(others, pool.fused, ask.limit - places.size)])
        places = _joined(places, np.searchsorted(pool.rows, shown), pool.fused)
        answer = self._answer(pool, places, ask, selected)
        fuse_seconds = time.perf_counter() - start - dense_seconds
        seconds = {"lexical": words.seconds, "dense": dense_seconds, "fuse": fuse_seconds}
        return replace(answer, seconds=seconds, lexical_weight=self._lexical_weight * words.emphasis)

    def by_words(self, words: LexicalMatch, ask: Ask) -> Retrieved:
        """Return the best products by words alone."""
        conditions = conditions_of(ask.wish.filter, self._rows)
        rows = np.flatnonzero(words.scores > 0)
        lexical = words.scores[rows]
        fused = fusion.standardise(lexical, words.spread)
        beside = [channel.pooled(rows) for channel in ask.beside]
        pool = Pool(rows, fused, [words.channel.pooled(rows), *beside])
        selected = select(
            self._rows,
            ask.wish,
            conditions,
            _both(matches_by_words(words.scores, ask.limit), ask.allowed),
            self._spread_out(pool),
            nothing=EmptyReason.EMPTY_REASON_NO_KNOWN_WORD,
        )
        places = _best_of(np.flatnonzero(selected.kept[rows]), fused, ask.limit)
        answer = self._answer(pool, places, ask, selected)
        return replace(answer, seconds={"lexical": words.seconds})

    def similar_to(self, row: int, ask: Ask) -> Retrieved:
        """Return the products nearest to the one at `row`, without it."""
        start = time.perf_counter()
        others = _both(np.arange(len(self._rows)) != row, ask.allowed)
        conditions = conditions_of(ask.wish.filter, self._rows)
        embedding = self._rows.vectors.at(np.array([row]))[0]
        within = meeting(others, conditions) if ask.narrows else None
        rows = self._pooled(embedding, ask.limit + 1, [], within)
        dense, spread = self._dense(embedding, rows)
        pool = Pool(rows, fusion.standardise(dense, spread), [Channel("dense", dense)])
        selected = select(self._rows, ask.wish, conditions, others, self._spread_out(pool))
        places = _best_of(np.flatnonzero(selected.kept[rows]), pool.fused, ask.limit)
        seconds = {"dense": time.perf_counter() - start}
        return replace(self._answer(pool, places, ask, selected), seconds=seconds)

    def for_user(self, popular: Scores, fresh: Channel, ask: Ask) -> Retrieved:
        """Return products near the history's taste, what such users turned to next and popular ones, fused.

        Without history the popular ones; some are new, as `fresh` tells. `popular`: float32 [n]; `fresh` of
        all rows too. The history's own products are left out, and those that cannot be bought.
        """
        start = time.perf_counter()
        history = self._rows.known(ask.history_ids)
        conditions = conditions_of(ask.wish.filter, self._rows)
        buyable = self._buyable_but(history, ask.allowed)
        whole = [
            *(channel.measured() for channel in (Channel("popular", popular, floor=0.0), *ask.beside)),
            fresh,
        ]
        pool = self._recommended(whole, history, meeting(buyable, conditions), ask.limit)
        selected = select(self._rows, ask.wish, conditions, buyable, self._spread_out(pool))
        seconds = {"channels": time.perf_counter() - start}
        kept = np.flatnonzero(selected.kept[pool.rows])
        places = recommendation.choose(kept, pool.fused, fresh.pooled(pool.rows), ask.limit)
        return replace(self._answer(pool, places, ask, selected), seconds=seconds)

    def _recommended(self, whole: Sequence[Channel], history: Rows, within: Mask, limit: int) -> Pool:
        """Return the pool of `whole` channels of all rows and, with history, the content channel."""
        if not history.size:
            rows = np.flatnonzero(within)
            channels = [channel.pooled(rows) for channel in whole]
        else:
            embedding = taste(self._rows.vectors.at(history))
            rows = self._pooled(embedding, limit, whole, within)
            dense, spread = self._dense(embedding, rows)
            channels = [channel.pooled(rows) for channel in whole]
            channels.insert(1, Channel("dense", dense, spread=spread))
        return Pool(rows, recommendation.fuse(channels), channels)

    def _score(self, words: LexicalMatch, embedding: NDArray[np.float32], rows: Rows, ask: Ask) -> _Scored:
        dense, spread = self._dense(embedding, rows)
        lexical = words.scores[rows]
        weight = self._lexical_weight * words.emphasis
        fused = fusion.fuse(dense, lexical, weight, (spread, words.spread))
        fused = self._fed_back(fused, rows)
        beside = [channel.pooled(rows) for channel in ask.beside]
        channels = [words.channel.pooled(rows), Channel("dense", dense), *beside]
        return _Scored(Pool(rows, fused, channels), lexical, fusion.standardise(dense, spread))

    def _fed_back(self, fused: Scores, rows: Rows) -> Scores:
        """Return the fused scores of `rows`, float32 [pool], with what the best of them say of the others."""
        if not self._feedback_weight or not fused.size:
            return fused
        best, vectors = fusion.best(fused, feedback.BEST), self._rows.vectors
        towards = feedback.direction(vectors.at(rows[best]), fused[best], vectors.mean())
        near = fusion.standardise(*self._dense(towards, rows))
        fed_back: Scores = fused + np.float32(self._feedback_weight) * near
        return fed_back

    def _pooled(
        self,
        embedding: NDArray[np.float32],
        limit: int,
        others: Sequence[Channel],
        allowed: Mask | None,
        also: Rows = _NO_ROWS,
    ) -> Rows:
        """Return in ascending order the rows to be scored: the best of each channel, or all when few."""
        rows = self._rows.vectors.nearest(embedding, _DEPTH * limit, allowed)
        complete = len(self._rows) if allowed is None else int(np.count_nonzero(allowed))
        if rows.size < complete:
            for channel in others:
                scores = channel.scores if allowed is None else np.where(allowed, channel.scores, -np.inf)
                best = fusion.best(scores, _DEPTH * limit)
                rows = _united(rows, best[scores[best] > channel.floor])
        return _united(rows, also) if also.size else rows

    def _dense(self, embedding: NDArray[np.float32], rows: Rows) -> tuple[Scores, Spread]:
        """Return the exact scores of `rows` and the spread of all rows'."""
        scores = self._rows.vectors.scores(embedding, rows)
        complete = rows.size == len(self._rows)
        return scores, Spread.of(scores) if complete else self._rows.vectors.spread(embedding)

    def _spread_out(self, pool: Pool) -> Scores:
        """Return the fused scores of all rows, float32 [n], −inf where they were not computed."""
        scores = np.full(len(self._rows), -np.inf, np.float32)
        scores[pool.rows] = pool.fused
        return scores

    def _buyable_but(self, excluded: Rows, allowed: Mask | None) -> Mask:
        buyable: Mask = self._rows.columns.numbers(len(self._rows))["available"].copy()
        buyable[excluded] = False
        return _both(buyable, allowed)

    def _answer(self, pool: Pool, places: Rows, ask: Ask, selected: Selected) -> Retrieved:
        history = self._rows.known(ask.history_ids)
        found = pool.candidates(self._rows, places, history)
        found.variants.extend(selected.variants(pool.rows[places]))
        return Retrieved(found, self._rows.take(history), selected)


def _both(mask: Mask, allowed: Mask | None) -> Mask:
    return mask if allowed is None else mask & allowed


def _united(rows: Rows, others: Rows) -> Rows:
    """Return the rows of both in ascending order: ten times as fast as NumPy's hashing `union1d`."""
    both = np.sort(np.concatenate([rows, others]))
    return both[np.diff(both, prepend=-1) > 0]


def _joined(places: Rows, others: Rows, fused: Scores) -> Rows:
    """Return `places` followed by those of `others` that are not among them, best first."""
    if not others.size:
        return places
    missing = np.setdiff1d(others, places)
    return np.concatenate([places, missing[fusion.best(fused[missing], missing.size)]])


def _best_of(places: Rows, scores: Scores, limit: int) -> Rows:
    """Return the `limit` best of the `places`, best first."""
    return places[fusion.best(scores[places], limit)]
