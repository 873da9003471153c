"""Recall of the next basket in the first twenty, by each model."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.evaluate.figures import Figure, figure
from training.evaluate.recommend.baskets.boosted import boosted
from training.evaluate.recommend.baskets.models import Past, Score, neighbours, popular, repeated
from training.evaluate.recommend.baskets.purchases import NextBaskets, Purchases, next_baskets, read

NAME = "complete_journey"
CUT = 20
WEEKS = 4  # of a split
_HALF_LIVES = (8.0, 13.0, 26.0)  # weeks
_WEIGHTS = (0.25, 0.5, 0.75, 1.0)  # of neighbours beside own purchases
_CHUNK = 64
_SEED = 7


def evaluate(path: Path) -> tuple[dict[str, Figure], dict[str, object]]:
    """Return "complete_journey/<model>/recall@20" of the last four weeks, and what validation chose.

    The four weeks before them choose half-lives and weights; from those and the four before, the trees learn.
    Of each household the first basket of the weeks is asked; its recall is the share of its products found.
    """
    purchases = read(path)
    test = int(purchases.week.max()) - WEEKS + 1
    chosen = _choose(purchases, test - WEEKS)
    past, asked = _at(purchases, test)
    learnt = [_at(purchases, test - back * WEEKS) for back in (1, 2)]
    models: Mapping[str, Callable[[], Score]] = {
        "popularity": lambda: popular(past),
        "repeat": lambda: repeated(past),
        "repeat_recent": lambda: repeated(past, chosen["half_life"]),
        "neighbours": lambda: neighbours(past, chosen["neighbours_half_life"], chosen["neighbours_weight"]),
        "boosted": lambda: boosted(learnt, past, _SEED),
    }
    measured = {
        f"{NAME}/{name}/recall@{CUT}": figure(recalls(model(), asked).tolist())
        for name, model in models.items()
    }
    return measured, {f"{NAME}/{key}": value for key, value in chosen.items()}


def recalls(score: Score, asked: NextBaskets, cut: int = CUT) -> NDArray[np.float64]:
    """Share of each asked basket that is among the first `cut` of all products: float64 [n]."""
    found: list[float] = []
    for start in range(0, len(asked.households), _CHUNK):
        scores = score(asked.households[start : start + _CHUNK])
        most = min(cut, scores.shape[1])
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        baskets = asked.bought[start : start + _CHUNK]
        found += [float(np.isin(bought, row).mean()) for bought, row in zip(baskets, best, strict=True)]
    return np.array(found)


def _choose(purchases: Purchases, week: int) -> dict[str, float]:
    past, asked = _at(purchases, week)

    def worth(score: Score) -> float:
        return float(recalls(score, asked).mean())

    half_life = max(_HALF_LIVES, key=lambda each: worth(repeated(past, each)))
    grid = [(life, weight) for life in _HALF_LIVES for weight in _WEIGHTS]
    best = max(grid, key=lambda each: worth(neighbours(past, *each)))
    return {"half_life": half_life, "neighbours_half_life": best[0], "neighbours_weight": best[1]}


def _at(purchases: Purchases, week: int) -> tuple[Past, NextBaskets]:
    return Past(purchases.before(week), week), next_baskets(purchases, week, WEEKS)
