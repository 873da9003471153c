"""Boosted trees over what is known of a household and a product: the second attempt at the next basket."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.ensemble import HistGradientBoostingClassifier

from training.evaluate.recommend.baskets.models import Past, Score, Scores, likeness
from training.evaluate.recommend.baskets.purchases import NextBaskets, Numbers

_CANDIDATES = 150  # of what is popular now, and of what neighbours buy, beside all that the household bought
_CHUNK = 128
_RECENT_WEEKS = 4
_NEVER = 60.0  # weeks

Features = NDArray[np.float32]


class Table:
    """Features of households and products by what was bought before a week."""

    def __init__(self, past: Past) -> None:
        bought = past.purchases
        self._count, self._decayed = past.matrix(), [past.matrix(each) for each in (4.0, 13.0, 40.0)]
        self._alike = likeness(self._decayed[1])
        ends = np.lexsort((bought.week, bought.product, bought.household))
        pairs = np.stack([bought.household[ends], bought.product[ends]])
        last = np.flatnonzero((np.diff(pairs, append=-1) != 0).any(axis=0))
        first = np.concatenate([[0], last[:-1] + 1])
        self._last, self._span = (
            csr_array((weeks.astype(np.float32), tuple(pairs[:, last])), shape=self._count.shape)
            for weeks in (bought.week[ends][last], (bought.week[ends][last] - bought.week[ends][first]))
        )
        self._week = past.week
        recent = bought.product[bought.week >= past.week - _RECENT_WEEKS]
        self._popular = np.log1p(np.bincount(bought.product, minlength=bought.products))
        self._recent = np.log1p(np.bincount(recent, minlength=bought.products))
        buyers = np.asarray((self._count > 0).sum(axis=0)).ravel()
        self._again = np.asarray((self._count > 1).sum(axis=0)).ravel() / np.maximum(buyers, 1)
        baskets = np.unique(np.stack([bought.household, bought.basket]), axis=1)[0]
        self._baskets = np.maximum(np.bincount(baskets, minlength=bought.households), 1)

    def rows(self, households: Numbers) -> Iterator[tuple[Numbers, Features]]:
        """Yield of each household its candidates, int64 [n], and their features, float32 [n, 13]."""
        for start in range(0, len(households), _CHUNK):
            part = households[start : start + _CHUNK]
            around = (self._alike(part) @ self._decayed[1]).toarray()
            for household, near in zip(part, around, strict=True):
                yield self._row(int(household), near)

    def _row(self, household: int, near: Scores) -> tuple[Numbers, Features]:
        own = self._count[[household]].indices
        chosen = np.unique(np.concatenate([own, _best(self._recent), _best(near)]))
        count, last, span, *decayed = (
            each[[household]].toarray()[0, chosen]
            for each in (self._count, self._last, self._span, *self._decayed)
        )
        since = np.where(count > 0, self._week - last, _NEVER)
        gap = np.where(count > 1, span / np.maximum(count - 1, 1), _NEVER)
        features = [
            count,
            count / self._baskets[household],
            *decayed,
            since,
            gap,
            since / np.maximum(gap, 0.5),
            near[chosen],
            self._popular[chosen],
            self._recent[chosen],
            self._again[chosen],
            np.full(len(chosen), self._baskets[household]),
        ]
        return chosen.astype(np.int64), np.stack(features, axis=1).astype(np.float32)


def boosted(learnt: Sequence[tuple[Past, NextBaskets]], past: Past, seed: int) -> Score:
    """Return trees fitted to `learnt`, next baskets and what was bought before, as a score after `past`."""
    features: list[Features] = []
    bought: list[NDArray[np.bool_]] = []
    for before, asked in learnt:
        for (chosen, row), basket in zip(Table(before).rows(asked.households), asked.bought, strict=True):
            features.append(row)
            bought.append(np.isin(chosen, basket))
    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.1, min_samples_leaf=100, early_stopping=False, random_state=seed
    ).fit(np.concatenate(features), np.concatenate(bought))
    table, products = Table(past), past.purchases.products

    def score(households: Numbers) -> Scores:
        scores = np.full((len(households), products), -np.inf, np.float32)
        for place, (chosen, row) in enumerate(table.rows(households)):
            scores[place, chosen] = trees.predict_proba(row)[:, 1]
        return scores

    return score


def _best(scores: NDArray[np.floating]) -> Numbers:
    most = min(_CANDIDATES, len(scores))
    return np.argpartition(-scores, most - 1)[:most]
