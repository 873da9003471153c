"""What a file of rules would change: order, relevance, prices and time, over many requests."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from services.ranking.arrangement.arranging import Arranged, arrange
from services.ranking.columns import Floats, Ints
from services.ranking.rules.applying import Rulebook, apply
from services.ranking.rules.cases import Case

DEPTH = 10
Labels = Mapping[str, Mapping[str, float]]  # query → product id → gain


@dataclass(frozen=True)
class Change:
    """One request with the rules of now and with those tried.

    `before` and `after` are ids, best first; `rules` by id with the number of candidates each touches.
    `ndcg` and `price` are before and after: NaN without a label or a price. `seconds` is what the tried rules
    took, matching included.
    """

    query: str
    before: list[str]
    after: list[str]
    rules: Mapping[str, int]
    ndcg: tuple[float, float]
    price: tuple[float, float]
    seconds: float

    @property
    def moved(self) -> int:
        """Number of the first ten that are others or elsewhere."""
        first = zip(self.before[:DEPTH], self.after[:DEPTH], strict=False)
        return sum(one != other for one, other in first) + abs(
            len(self.before[:DEPTH]) - len(self.after[:DEPTH])
        )


def dry_run(cases: Iterable[Case], tried: Rulebook, now: Rulebook, labels: Labels) -> Iterator[Change]:
    """Yield what `tried` changes of each case beside the rules in force `now`."""
    for case in cases:
        before, _ = _arranged(case, now)
        start = time.perf_counter()
        after, touched = _arranged(case, tried)
        seconds = time.perf_counter() - start
        orders = (before.rows, after.rows)
        gains = np.array([labels.get(case.query, {}).get(each, 0.0) for each in case.products.ids])
        yield Change(
            query=case.query,
            before=[case.products.ids[row] for row in before.rows],
            after=[case.products.ids[row] for row in after.rows],
            rules=touched,
            ndcg=_pair(_ndcg(gains, rows) for rows in orders),
            price=_pair(_price_position(case.products.prices, rows) for rows in orders),
            seconds=seconds,
        )


def _arranged(case: Case, book: Rulebook) -> tuple[Arranged, dict[str, int]]:
    orders, applied = apply(book.meeting(case.situation), case.products)
    arranged = arrange(
        case.scores,
        case.fused,
        case.products,
        case.arrangement,
        orders,
        request_id=case.request_id,
        now_seconds=case.now_seconds,
    )
    return arranged, {each.rule: each.products for each in applied}


def _pair(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return first, second


def _ndcg(gains: Floats, rows: Ints) -> float:
    """nDCG at ten (Järvelin and Kekäläinen, 2002) over the candidates; NaN when none of them has a gain."""
    ideal = _dcg(np.sort(gains)[::-1])
    return _dcg(gains[rows]) / ideal if ideal else float("nan")


def _dcg(gains: Floats) -> float:
    shown = gains[:DEPTH]
    return float(shown @ (1 / np.log2(np.arange(2, len(shown) + 2))))


def _price_position(prices: Floats, rows: Ints) -> float:
    """Where the first ten lie among the candidates by price: 0 the cheapest, 1 the dearest, on average."""
    known = np.sort(prices[~np.isnan(prices)])
    shown = prices[rows[:DEPTH]]
    shown = shown[~np.isnan(shown)]
    if known.size < 2 or not shown.size:
        return float("nan")
    ranks = (np.searchsorted(known, shown, "left") + np.searchsorted(known, shown, "right") - 1) / 2
    return float(ranks.mean() / (known.size - 1))
