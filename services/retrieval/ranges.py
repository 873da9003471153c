"""Numbers of a field in a few ranges with round bounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.matches_pb2 import FacetRange
from services.retrieval.counting import count

_STARS = (1.0, 2.0, 3.0, 4.0)
_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


def star_bounds() -> Sequence[float]:
    """Return the inner bounds of ratings: whole stars."""
    return _STARS


def round_bounds(numbers: NDArray[np.floating], most: int) -> Sequence[float]:
    """Return inner bounds that part `numbers`, [n], into at most `most` ranges, each of about as many.

    They are the quantiles, rounded to what reads well: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 and tens of these.
    """
    if not numbers.size:
        return []
    shares = np.arange(1, most) / most
    bounds = {_round(float(each)) for each in np.quantile(numbers, shares, method="lower")}
    return sorted(each for each in bounds if numbers.min() < each <= numbers.max())


def ranges(numbers: NDArray[np.floating], bounds: Sequence[float], unseen: int) -> list[FacetRange]:
    """Return how many of `numbers` lie between the bounds, empty ranges left out; a bound is a start."""
    counts = np.bincount(np.searchsorted(np.array(bounds), numbers, side="right"), minlength=len(bounds) + 1)
    edges = [None, *bounds, None]
    return [
        FacetRange(start=edges[place], end=edges[place + 1], count=count(held, unseen))
        for place, held in enumerate(counts.tolist())
        if held
    ]


def _round(number: float) -> float:
    if number <= 0:
        return 0.0
    # By way of text: 12 × 10⁻¹ is 1.2000000000000002.
    mantissa, power = f"{number:.6e}".split("e")
    nearest = min(_STEPS, key=lambda step: abs(step - float(mantissa)))
    return float(f"{nearest}e{power}")
