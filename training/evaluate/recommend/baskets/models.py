"""Scores of every product for a household's next basket."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from training.evaluate.recommend.baskets.purchases import Numbers, Purchases

NEIGHBOURS = 200

Scores = NDArray[np.float32]
# Numbers of households, int64 [n] → scores of all products, float32 [n, products].
Score = Callable[[Numbers], Scores]


@dataclass(frozen=True)
class Past:
    """What was bought before `week`."""

    purchases: Purchases
    week: int

    def matrix(self, half_life: float | None = None) -> csr_array:
        """How often each bought each, halved every `half_life` weeks: float32 [households, products]."""
        bought = self.purchases
        ages = self.week - bought.week
        worth = np.ones(len(ages)) if half_life is None else 0.5 ** (ages / half_life)
        return _summed(worth, bought.household, bought.product, (bought.households, bought.products))

    def popularity(self) -> Scores:
        """How often each product was bought, as a share of the most bought: float32 [products], 0 to 1."""
        counts = np.bincount(self.purchases.product, minlength=self.purchases.products)
        shares: Scores = (counts / counts.max()).astype(np.float32)
        return shares


def popular(past: Past) -> Score:
    """What all households buy."""
    scores = past.popularity()
    return lambda households: np.tile(scores, (len(households), 1))


def repeated(past: Past, half_life: float | None = None) -> Score:
    """The household's own purchases, counted or with the recent ones counting more; of equals the popular."""
    own, tie_break = past.matrix(half_life), past.popularity() * np.float32(1e-3)
    return lambda households: own[households].toarray() + tie_break


def neighbours(past: Past, half_life: float, weight: float) -> Score:
    """Own purchases and `weight` × those of the households most alike, as TIFU-KNN does.

    Hu, He, Gao and Zhang, "Modeling personalized item frequency information for next-basket recommendation",
    SIGIR 2020, arXiv 2006.00556. Here likeness is the cosine, each neighbour counts by it, and recency is one
    half-life.
    """
    own, tie_break = past.matrix(half_life), past.popularity() * np.float32(1e-3)
    alike = likeness(own)

    def score(households: Numbers) -> Scores:
        found: Scores = own[households].toarray() + weight * (alike(households) @ own).toarray() + tie_break
        return found

    return score


def likeness(own: csr_array) -> Callable[[Numbers], csr_array]:
    """Return what gives the shares of each household's `NEIGHBOURS` most alike: float32 [n, households].

    A share is the cosine over the sum of all neighbours' cosines.
    """
    lengths = np.sqrt(np.asarray(own.multiply(own).sum(axis=1)).ravel())
    directions = own.multiply(1 / np.maximum(lengths, 1e-9)[:, None]).tocsr()

    def alike(households: Numbers) -> csr_array:
        cosines = (directions[households] @ directions.T).toarray()
        cosines[np.arange(len(households)), households] = 0.0
        most = min(NEIGHBOURS, cosines.shape[1])
        nearest = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        worth = np.take_along_axis(cosines, nearest, axis=1)
        worth /= np.maximum(worth.sum(axis=1, keepdims=True), 1e-9)
        rows = np.repeat(np.arange(len(households)), most)
        return _summed(worth.ravel(), rows, nearest.ravel(), cosines.shape)

    return alike


def _summed(
    values: NDArray[np.floating], rows: Numbers, columns: Numbers, shape: tuple[int, ...]
) -> csr_array:
    matrix = csr_array((values.astype(np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return matrix
