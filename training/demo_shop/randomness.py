"""Random numbers that depend on the seed and on what they are for, not on what was drawn before."""

import zlib
from collections.abc import Sequence
from random import Random
from typing import TypeVar

import numpy as np

from training.demo_shop.schema import Split

T = TypeVar("T")
_VALIDATION, _TEST = 0.12, 0.2


def stream(seed: int, *names: object) -> Random:
    """A generator of its own for each purpose, so that one part's change leaves the others as they were."""
    return Random("/".join(map(str, (seed, *names))))


def arrays(seed: int, *names: object) -> np.random.Generator:
    """Like `stream`, for arrays."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def fraction(*names: object) -> float:
    """A number in [0, 1) that depends on the names alone."""
    return zlib.crc32("/".join(map(str, names)).encode()) / 2**32


def split_of(*names: object) -> Split:
    """The split that the names fall in, always the same one."""
    place = fraction("split", *names)
    if place < _TEST:
        return "test"
    return "validation" if place < _TEST + _VALIDATION else "train"


def common_first(random: Random, values: Sequence[T]) -> T:
    """Draw a value; the i-th is drawn in proportion to 1 / (i + 1)^0.7."""
    return random.choices(values, [1 / (place + 1) ** 0.7 for place in range(len(values))])[0]
