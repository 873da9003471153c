"""Finding candidates in the rows of a catalogue: pooled from the channels, fused, matched and selected."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.matches_pb2 import EmptyReason
from services.retrieval import fusion, recommendation
from services.retrieval.answer import Channel, Pool, Retrieved
from services.retrieval.asking import Ask, Best, LexicalMatch
from services.retrieval.conditions import Condition, conditions_of, meeting
from services.retrieval.fusion import Rows, Scores
from services.retrieval.history import taste
from services.retrieval.inner_products import Vectors
from services.retrieval.matching import DEPTH, Cuts, matches_by_words
from services.retrieval.narrowing import looked_at
from services.retrieval.rows import CatalogRows
from services.retrieval.scored import Scored
from services.retrieval.scoring import Scorer, Weights
from services.retrieval.selection import Selected, groups_of, select
from services.retrieval.values import Mask
from services.retrieval.variants import collapse

# Each channel gives this many times the limit. Of the best 200 that fusing the scores of all of 100,000
# products gives, .92 are found at twice, .96 at three times and .98 at four times, each .4 ms dearer.
_DEPTH = 2
_LOOKED_OVER_DEPTH = 4  # where many rows are scored anyhow
# So many rows are scored one and all for a filter or facets, in 12 ms; of more, the counts are lower bounds.
_MOST_LOOKED_AT = 250_000
_NO_ROWS: Rows = np.zeros(0, np.intp)
_NO_SCORES: Scores = np.zeros(0, np.float32)


@dataclass(frozen=True)
class _Matches:
    """The scored pool, which rows match, bool [n], and how many more may that were not scored."""

    pool: Pool
    mask: Mask
    unseen: int


class Finder:
    """Searches the rows as they are. Not thread-safe: changes of the rows and searches must not overlap."""

    def __init__(self, rows: CatalogRows, weights: Weights) -> None:
        self._rows = rows
        self._scorer = Scorer(rows, weights)

    def by_meaning(
        self, words: LexicalMatch, embedding: Vectors, ask: Ask, also: Sequence[str] = ()
    ) -> Retrieved:
        """Return the best products by words and meaning; those in `also` follow wherever they rank."""
        start = time.perf_counter()
        shown = self._rows.known(also)
        conditions = conditions_of(ask.wish.filter, self._rows)
        allowed = _both(np.ones(len(self._rows), np.bool_), ask.allowed)
        matches = self._matches(words, embedding, ask, shown=shown, allowed=allowed, conditions=conditions)
        pool, dense_seconds = matches.pool, time.perf_counter() - start
        selected = select(
            self._rows,
            ask.wish,
            conditions,
            _both(matches.mask, ask.allowed),
            self._spread_out(pool, ask),
            beside=allowed,
            unseen=matches.unseen,
        )
        places = _best_of(np.flatnonzero(selected.kept[pool.rows]), pool.fused, ask.limit)
        if places.size < ask.limit:
            others = np.flatnonzero(selected.others[pool.rows])
            places = np.concatenate([places, _best_of(others, pool.fused, ask.limit - places.size)])
        places = _joined(places, np.searchsorted(pool.rows, shown), pool.fused)
        answer = self._answer(pool, places, ask, selected)
        fuse_seconds = time.perf_counter() - start - dense_seconds
        seconds = {"lexical": words.seconds, "dense": dense_seconds, "fuse": fuse_seconds}
        return replace(answer, seconds=seconds, lexical_weight=self._scorer.lexical_weight(words))

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
            self._spread_out(pool, ask),
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
        dense, spread = self._scorer.dense(embedding, rows)
        pool = Pool(rows, fusion.standardise(dense, spread), [Channel("dense", dense)])
        selected = select(self._rows, ask.wish, conditions, others, self._spread_out(pool, ask))
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
        selected = select(self._rows, ask.wish, conditions, buyable, self._spread_out(pool, ask))
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
            dense, spread = self._scorer.dense(embedding, rows)
            channels = [channel.pooled(rows) for channel in whole]
            channels.insert(1, Channel("dense", dense, spread=spread))
        return Pool(rows, recommendation.fuse(channels), channels)

    def _matches(
        self,
        words: LexicalMatch,
        embedding: Vectors,
        ask: Ask,
        *,
        shown: Rows,
        allowed: Mask,
        conditions: Sequence[Condition],
    ) -> _Matches:
        """Score the best of the whole catalogue, `shown`, and what a filter or facets look at beside."""
        depth = max(ask.limit, DEPTH)
        scored, cuts = self._best(words, embedding, ask, depth, shown)
        rows, mask, hidden = scored.pool.rows, cuts.by_words(words.scores), allowed.copy()
        if ask.narrows and rows.size < len(self._rows):
            passing, hidden = meeting(allowed, conditions), looked_at(allowed, conditions, ask.wish.facets)
            over = self._looked_over(words, embedding, ask, passing, hidden)
            rough = self._scorer.rough(words, embedding, over)
            mask[rough.rows] |= cuts.by_meaning(rough.dense.scores)
            hidden[rough.rows] = False
            groups = groups_of(self._rows, ask.wish)
            heads = passing if groups is None else collapse(passing, rough.spread_out(len(passing)), groups)
            best = _best_rows(rough.channels, _LOOKED_OVER_DEPTH * depth, heads[rough.rows])
            rows = _united(rows, rough.rows[best])
            scored = self._scorer.score(words, embedding, rows, ask.beside, scored.said)
        mask[scored.pool.rows] = cuts.matching(scored.lexical, scored.dense, scored.pool.fused)
        hidden[scored.pool.rows] = False
        return _Matches(scored.pool, mask, int(np.count_nonzero(hidden & ~mask)))

    def _best(
        self, words: LexicalMatch, embedding: Vectors, ask: Ask, depth: int, shown: Rows
    ) -> tuple[Scored, Cuts]:
        """Score the best of the whole catalogue and `shown`, or return what the last search found of them."""
        state = self._rows.vectors.state
        for best in words.best:
            if not shown.size and best.are_of(embedding, ask, state):
                return best.scored, best.cuts
        rows = self._pooled(embedding, depth, [words.channel], None, shown)
        scored = self._scorer.score(words, embedding, rows, ask.beside)
        cuts = Cuts.of(words.scores, scored.dense, scored.pool.fused, ask.limit)
        if not shown.size:
            words.best[:] = [Best(embedding, ask.limit, ask.history_ids, state, scored, cuts)]
        return scored, cuts

    def _looked_over(
        self, words: LexicalMatch, embedding: Vectors, ask: Ask, passing: Mask, looked: Mask
    ) -> Rows:
        """Return all rows of `looked`, or the best of `passing` where they are too many or bounds will do."""
        rows = np.flatnonzero(looked)
        if (rows.size > _MOST_LOOKED_AT or not ask.wish.counts_all) and passing.any():
            return self._pooled(embedding, max(ask.limit, DEPTH), [words.channel], passing)
        return rows

    def _pooled(
        self,
        embedding: Vectors,
        limit: int,
        others: Sequence[Channel],
        allowed: Mask | None,
        also: Rows = _NO_ROWS,
    ) -> Rows:
        """Return in ascending order the rows to be scored: the best of each channel, or all when few."""
        rows = self._rows.vectors.nearest(embedding, _DEPTH * limit, allowed)
        complete = len(self._rows) if allowed is None else int(np.count_nonzero(allowed))
        if rows.size < complete:
            rows = _united(rows, _best_rows(others, _DEPTH * limit, allowed))
        return _united(rows, also) if also.size else rows

    def _spread_out(self, pool: Pool, ask: Ask) -> Scores:
        """Return the fused scores of all rows, float32 [n], −inf where they were not computed.

        Only variants are chosen among by them: without such a wish there are none.
        """
        if not ask.wish.collapse_variants:
            return _NO_SCORES
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
        known = ProductColumns()
        self._rows.fill(known, history)
        return Retrieved(found, known, selected)


def _both(mask: Mask, allowed: Mask | None) -> Mask:
    return mask if allowed is None else mask & allowed


def _best_rows(channels: Sequence[Channel], count: int, allowed: Mask | None = None) -> Rows:
    """Return the `count` best of the allowed rows that each channel of all rows finds, in ascending order."""
    found = _NO_ROWS
    for channel in channels:
        scores = channel.scores
        if allowed is None:
            best = fusion.best_above(scores, count, channel.floor)
        else:
            within = np.flatnonzero(allowed & (scores > channel.floor))
            best = within[fusion.best(scores[within], count)]
        found = _united(found, best)
    return found


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
