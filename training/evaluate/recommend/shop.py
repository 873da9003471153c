"""The demo shop's held-out users: which new product comes next, by each channel and by the served answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations

import numpy as np
from numpy.typing import NDArray

from aisle.retrieval.v1.retrieval_pb2 import ChannelColumn
from services.retrieval.answer import Channel
from services.retrieval.index import CatalogIndex
from services.retrieval.recommendation import fuse
from training.evaluate.figures import Figure
from training.evaluate.recommend.figures import figures_of_ranks
from training.sequence.protocol import gains
from training.sequence.shop import Question

CANDIDATES = 200  # what the gateway asks retrieval for
HYBRID = "hybrid"
MISSED = np.iinfo(np.int64).max
CHANNELS: Mapping[str, str] = {"popular": "popularity", "dense": "content", "collaborative": "collaborative"}
_MOST_HISTORY = 50  # what the gateway sends of a profile
_GRID = {"collaborative": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), "popular": (0.0, 0.1, 0.2, 0.3, 0.5)}

Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Answered:
    """What every channel says of all products that may be recommended, and where among them the target is.

    `target` is None when it may not be: it cannot be bought.
    """

    channels: Sequence[Channel]
    target: int | None


def evaluate(index: CatalogIndex, asked: Sequence[Question], products: int) -> dict[str, Figure]:
    """Return "demo_shop/<channel>/<measure>" of each channel alone, and of the answer that is served."""
    answered = list(answer(index, asked, products))
    measured = {HYBRID: np.array([_served_rank(index, question) for question in asked])}
    for channel, name in CHANNELS.items():
        measured[name] = ranks(answered, {channel: 1.0})
    found: dict[str, Figure] = {}
    for name in (*CHANNELS.values(), HYBRID):
        found |= figures_of_ranks(f"demo_shop/{name}", measured[name])
    return found


def best_weights(index: CatalogIndex, asked: Sequence[Question], products: int) -> Mapping[str, float]:
    """Return the weights beside content's 1 with the highest NDCG@10 on `asked`: a validation split."""
    answered = list(answer(index, asked, products))
    grid = [{"dense": 1.0, **dict(zip(_GRID, each, strict=True))} for each in combinations(*_GRID.values())]
    return max(grid, key=lambda weights: gains(ranks(answered, weights), 10)["ndcg"].mean())


def answer(index: CatalogIndex, asked: Sequence[Question], products: int) -> Iterator[Answered]:
    """Yield what the channels of the index say to each question; `products` is how many there are."""
    for question in asked:
        found = index.for_user(_newest(question), products, now=question.seconds).candidates
        ids = list(found.products.ids)
        target = ids.index(question.target) if question.target in ids else None
        yield Answered([_channel(column) for column in found.channels], target)


def ranks(answered: Sequence[Answered], weights: Mapping[str, float]) -> Ranks:
    """Return the rank of each target by the channels of `weights`, int64 [n]; MISSED where not found."""
    return np.array([_rank(each, weights) for each in answered], np.int64)


def _rank(each: Answered, weights: Mapping[str, float]) -> int:
    spoken = [channel for channel in each.channels if channel.name in weights]
    if each.target is None or not spoken:
        return MISSED
    scores = fuse(spoken, weights)
    return int((scores >= scores[each.target]).sum())


def _served_rank(index: CatalogIndex, question: Question) -> int:
    found = index.for_user(_newest(question), CANDIDATES, now=question.seconds)
    ids = list(found.candidates.products.ids)
    return ids.index(question.target) + 1 if question.target in ids else MISSED


def _newest(question: Question) -> Sequence[str]:
    return question.history[: -_MOST_HISTORY - 1 : -1]


def _channel(column: ChannelColumn) -> Channel:
    scores = np.array(column.scores, np.float32)
    return Channel(column.channel, np.where(np.array(column.ranks) > 0, scores, -np.inf).astype(np.float32))
