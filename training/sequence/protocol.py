"""The published protocol: every item is ranked for every user, and the one that came is looked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.sequence.sequences import HeldOut, Items

CUTS = (5, 10, 20)
_USERS_AT_ONCE = 256

Scores = NDArray[np.float32]
# Histories of n users → scores of all items, float32 [n, items]; column i is item number i + 1.
Score = Callable[[Sequence[Items]], Scores]


@dataclass(frozen=True)
class Ranks:
    """Rank of each target from 1, int64 [n]: among all items, and among those not in the user's history.

    The first leaves out nothing but padding. The second is what S3-Rec's code counts: it sets the scores of
    the history's items to 0 before it ranks.
    """

    among_all: NDArray[np.int64]
    among_new: NDArray[np.int64]


def rank(score: Score, held_out: HeldOut) -> Ranks:
    """Return the ranks of the targets; an item with the target's score counts as ranked before it."""
    pairs = [_rank(score(histories), histories, targets) for histories, targets in _parts(held_out)]
    return Ranks(np.concatenate([each for each, _ in pairs]), np.concatenate([each for _, each in pairs]))


def gains(ranks: NDArray[np.int64], cut: int) -> dict[str, NDArray[np.float64]]:
    """Return what each rank, int64 [n], adds to the mean that HR@cut ("hr") and NDCG@cut ("ndcg") are.

    With one relevant item a user, the ideal order has it first: NDCG is 1 / log2(1 + rank), 0 behind the cut.
    """
    found = ranks <= cut
    return {"hr": found.astype(np.float64), "ndcg": np.where(found, 1 / np.log2(1.0 + ranks), 0.0)}


def figures(ranks: Ranks) -> dict[str, float]:
    """Return `hr@k` and `ndcg@k` among all items, and `…_new` of them among the new ones."""
    return {
        f"{name}@{cut}{suffix}": float(values.mean())
        for suffix, each in (("", ranks.among_all), ("_new", ranks.among_new))
        for cut in CUTS
        for name, values in gains(each, cut).items()
    }


def _parts(held_out: HeldOut) -> Iterator[tuple[Sequence[Items], Items]]:
    for start in range(0, len(held_out), _USERS_AT_ONCE):
        part = slice(start, start + _USERS_AT_ONCE)
        yield held_out.histories[part], held_out.targets[part]


def _rank(
    scores: Scores, histories: Sequence[Items], targets: Items
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    own = scores[np.arange(len(targets)), targets - 1]
    among_all = (scores >= own[:, None]).sum(axis=1)
    before = [
        int((row[seen - 1] >= mine).sum())
        for row, mine, seen in zip(scores, own, map(_others, histories, targets.tolist()), strict=True)
    ]
    return among_all, among_all - np.array(before, np.int64)


def _others(history: Items, target: int) -> Items:
    return np.setdiff1d(history, [target])
