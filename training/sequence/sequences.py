"""Users' items in order of time, and how the last two of each are held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.int64]  # [n] numbers of items from 1, oldest first; 0 is padding

_FEWEST = 3  # one to learn from, one to validate with, one to test with
_MOST_NAMED = 5


@dataclass(frozen=True)
class Sequences:
    """`users`: the items of each user, oldest first; item number i has the id `ids[i - 1]`."""

    users: tuple[Items, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class HeldOut:
    """What is asked in an evaluation: after each of `histories` (oldest first), which item comes next?

    `targets`: int64 [n], the item that came.
    """

    histories: tuple[Items, ...]
    targets: Items

    def __len__(self) -> int:
        return len(self.histories)


@dataclass(frozen=True)
class Split:
    """Leave-one-out: a user's last item is the test, the second-to-last the validation."""

    train: tuple[Items, ...]
    validation: HeldOut
    test: HeldOut


def number(users: Sequence[Sequence[str]]) -> Sequences:
    """Return the users' ids as numbers, in the order in which the ids first come."""
    numbers: dict[str, int] = {}
    numbered = tuple(
        np.array([numbers.setdefault(each, len(numbers) + 1) for each in user], np.int64) for user in users
    )
    return Sequences(numbered, tuple(numbers))


def read_sequences(path: Path) -> Sequences:
    """Read lines of "user item item …", items oldest first, as the files of S3-Rec are laid out.

    Raises ValueError naming the lines that hold no three items, numbers that are none, or a user again.
    """
    users: dict[str, list[str]] = {}
    wrong: list[str] = []
    for line, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not text.strip():
            continue
        user, *items = text.split()
        if reason := _reason(user, items, users):
            wrong.append(f"line {line}: {reason}")
        users.setdefault(user, items)
    if wrong:
        more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
        raise ValueError(
            f"{path}: {'; '.join(wrong[:_MOST_NAMED])}{more}; correct the lines or take them out"
        )
    if not users:
        raise ValueError(f"{path} holds no sequence; a line is: user item item item …")
    return number(list(users.values()))


def _reason(user: str, items: Sequence[str], users: dict[str, list[str]]) -> str:
    if strange := [each for each in (user, *items) if not (each.isascii() and each.isdigit())]:
        return f"{strange[0]!r} is no number"
    if len(items) < _FEWEST:
        return f"user {user} has {len(items)} items, at least {_FEWEST} are needed"
    return f"user {user} came before" if user in users else ""


def leave_one_out(sequences: Sequences) -> Split:
    """Return the split of the published protocol; nothing held out is in a history before its time."""
    users = sequences.users
    return Split(
        train=tuple(user[:-2] for user in users),
        validation=HeldOut(
            tuple(user[:-2] for user in users), np.array([user[-2] for user in users], np.int64)
        ),
        test=HeldOut(tuple(user[:-1] for user in users), np.array([user[-1] for user in users], np.int64)),
    )


def padded(histories: Sequence[Items], longest: int) -> Items:
    """Return the newest `longest` items of each, filled up with 0 behind: int64 [n, ≤ longest]."""
    newest = [each[-longest:] for each in histories]
    rows = np.zeros((len(newest), max((len(each) for each in newest), default=0)), np.int64)
    for row, each in zip(rows, newest, strict=True):
        row[: len(each)] = each
    return rows
