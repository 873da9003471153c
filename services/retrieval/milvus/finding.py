"""Choosing candidates among the products that Milvus found, by the rules of the search in process.

What is standardised is standardised over the whole catalogue, of which the statistics tell.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aisle.catalog.v1.matches_pb2 import EmptyReason
from services.retrieval import agreement, feedback, fusion, recommendation
from services.retrieval.agreement import Agreement
from services.retrieval.answer import Channel, Pool, Retrieved
from services.retrieval.fusion import Scores, Spread
from services.retrieval.history import taste
from services.retrieval.matching import Cuts, matches_by_words
from services.retrieval.milvus.pool import FoundRows, Wanted, best_of, counted
from services.retrieval.milvus.statistics import CatalogStatistics
from services.retrieval.popularity import popularity
from services.retrieval.recommendation import fresh_channel
from services.retrieval.values import Mask
from services.retrieval.weighting import emphasis


def by_meaning(
    found: FoundRows,
    lexical: Channel,
    embedding: Scores,
    statistics: CatalogStatistics,
    wanted: Wanted,
    *,
    beside: Sequence[Channel],
    naming: float,
) -> Retrieved:
    """Return the best by words and meaning, then others that meet the filter.

    `lexical` and `beside` are channels of the found rows, `lexical` with its spread over the catalogue;
    `naming` is the query's `naming_share`.
    """
    dense, spread = _dense(found, embedding, statistics)
    weight = fusion.LEXICAL_WEIGHT * emphasis(lexical.spread.deviation if lexical.spread else 0.0, naming)
    fused = _fed_back(found, fusion.fuse(dense, lexical.scores, weight, (spread, lexical.spread)), statistics)
    agreed = Agreement.of(fusion.best(fused, agreement.BEST), found.rows.columns)
    fused = fused + np.float32(agreement.WEIGHT) * agreed.scores(found.everything, found.rows.columns)
    standardised = fusion.standardise(dense, spread)
    cuts = Cuts.of(lexical.scores, standardised, fused, wanted.limit)
    matching = cuts.matching(lexical.scores, standardised, fused)
    selected = found.selected(wanted, matching, fused, beside=np.ones(len(found), np.bool_))
    places = best_of(selected.kept, fused, wanted.limit)
    others = best_of(selected.others, fused, wanted.limit - places.size)
    pool = Pool(found.everything, fused, [lexical, Channel("dense", dense), *beside])
    answer = found.answer(pool, np.concatenate([places, others]), wanted, selected)
    return replace(answer, lexical_weight=weight)


def by_words(found: FoundRows, lexical: Channel, wanted: Wanted, beside: Sequence[Channel]) -> Retrieved:
    """Return the best by words alone."""
    fused = fusion.standardise(lexical.scores, lexical.spread)
    selected = found.selected(
        wanted,
        matches_by_words(lexical.scores, wanted.limit),
        fused,
        nothing=EmptyReason.EMPTY_REASON_NO_KNOWN_WORD,
    )
    pool = Pool(found.everything, fused, [lexical, *beside])
    return found.answer(pool, best_of(selected.kept, fused, wanted.limit), wanted, selected)


def similar(
    found: FoundRows, product_id: str, statistics: CatalogStatistics, wanted: Wanted, total: int
) -> Retrieved:
    """Return the nearest to one of the found products, without it; `total` meet the filter."""
    (row,) = found.rows.known([product_id])
    dense, spread = _dense(found, found.rows.vectors.at(np.array([row]))[0], statistics)
    fused = fusion.standardise(dense, spread)
    selected = counted(found.selected(wanted, found.everything != row, fused), total)
    pool = Pool(found.everything, fused, [Channel("dense", dense)])
    return found.answer(pool, best_of(selected.kept, fused, wanted.limit), wanted, selected)


def for_user(
    found: FoundRows,
    statistics: CatalogStatistics,
    wanted: Wanted,
    beside: Sequence[Channel],
    *,
    total: int,
    now: float,
) -> Retrieved:
    """Return what the user may like: near the taste, next in such histories, popular, new.

    `total` products can be bought, meet the filter and are not in the history; `now`: seconds since 1970.
    """
    history = found.rows.known(wanted.history_ids)
    numbers = found.rows.columns.numbers(len(found))
    fresh = fresh_channel(numbers["create_seconds"], now)
    popular = Channel("popular", popularity(numbers["rating"], numbers["review_count"]), floor=0.0)
    channels = [popular.measured(), *(each.measured() for each in beside), fresh]
    if history.size:
        dense, spread = _dense(found, taste(found.rows.vectors.at(history)), statistics)
        channels.insert(1, Channel("dense", dense, spread=spread))
    fused = recommendation.fuse(channels)
    buyable: Mask = numbers["available"].copy()
    buyable[history] = False
    selected = counted(found.selected(wanted, buyable, fused), total)
    places = recommendation.choose(np.flatnonzero(selected.kept), fused, fresh, wanted.limit)
    return found.answer(Pool(found.everything, fused, channels), places, wanted, selected)


def _dense(found: FoundRows, embedding: Scores, statistics: CatalogStatistics) -> tuple[Scores, Spread]:
    """Return the exact scores of the found rows, float32 [n], and the spread of the whole catalogue's."""
    return found.rows.vectors.scores(embedding, found.everything), statistics.spread(embedding)


def _fed_back(found: FoundRows, fused: Scores, statistics: CatalogStatistics) -> Scores:
    """Return the fused scores, float32 [n], with what the best of them say of the others."""
    if not fused.size:
        return fused
    best = fusion.best(fused, feedback.BEST)
    towards = feedback.direction(found.rows.vectors.at(best), fused[best], statistics.mean())
    near = fusion.standardise(*_dense(found, towards, statistics))
    fed_back: Scores = fused + np.float32(feedback.WEIGHT) * near
    return fed_back
