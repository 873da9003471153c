"""When requests are due: decided before the run, whatever the server does."""

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
