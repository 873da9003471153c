"""When requests are due: decided before the run, whatever the server does."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def poisson(rate: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Return the instants of a Poisson process of `rate` per second over `seconds`, float64 [n], ascending.

    An open loop: the next request is due when it is due, not when the last one was answered, so that a stall
    of the server delays every request behind it and shows (coordinated omission, Gil Tene).
    """
    if rate <= 0 or seconds <= 0:
        raise ValueError(f"rate and seconds must be positive, got {rate} and {seconds}")
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1 / rate, int(rate * seconds * 2) + 100)
    instants = np.cumsum(gaps)
    return instants[instants < seconds]


def recorded(file: Path, seconds: float) -> NDArray[np.float64]:
    """Return the recorded instants before `seconds`, float64 [n], ascending from 0.

    The file has one offset a line, in seconds on any clock; the first one becomes 0. Raises ValueError.
    """
    try:
        offsets = np.array([float(line) for line in file.read_text(encoding="utf-8").split()])
    except (OSError, ValueError) as error:
        raise ValueError(f"--arrivals {file} must hold one offset in seconds a line ({error})") from error
    if not len(offsets) or not np.isfinite(offsets).all() or (np.diff(offsets) < 0).any():
        raise ValueError(f"--arrivals {file} must hold at least one finite offset, none before the last one")
    instants: NDArray[np.float64] = offsets - offsets[0]
    return instants[instants < seconds]
