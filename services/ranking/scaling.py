"""Scaling inside one request, so that a feature means the same in every catalogue."""

import numpy as np

from services.ranking.columns import Bools, Floats, Ints

# A standardised value beyond this says nothing more than "far out".
LIMIT = 5.0


def standardise(values: Floats, present: Bools) -> Floats:
    """Return (value − mean) / standard deviation over the present rows, float64 [n], within ±5.

    Absent rows get 0, and so do all rows when the present ones do not differ.
    """
    scaled = np.zeros(len(values))
    chosen = values[present]
    if chosen.size < 2:
        return scaled
    deviation = chosen.std()
    if deviation > 1e-9 * max(1.0, float(np.abs(chosen).max())):
        scaled[present] = np.clip((chosen - chosen.mean()) / deviation, -LIMIT, LIMIT)
    return scaled


def standardise_by(values: Floats, groups: Ints) -> Floats:
    """Return (value − mean) / standard deviation over the known rows of the same group, within ±5.

    `groups`: int64 [n], 0 or more. Unknown (NaN) rows get 0, and so do groups whose known rows do not differ.
    """
    known = ~np.isnan(values)
    held, mine = np.where(known, values, 0.0), np.where(known, groups, 0)
    counts = np.maximum(1.0, np.bincount(mine, weights=known))
    means = np.bincount(mine, weights=held) / counts
    gaps = np.where(known, held - means[mine], 0.0)
    deviations = np.sqrt(np.bincount(mine, weights=gaps**2) / counts)[mine]
    return np.clip(
        np.divide(gaps, deviations, out=np.zeros(len(values)), where=deviations > 1e-9), -LIMIT, LIMIT
    )


def centre(values: Floats) -> Floats:
    """Return value − mean of the known rows, float64 [n]; unknown (NaN) rows get 0, as if average."""
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros(len(values))
    return np.where(known, values - values[known].mean(), 0.0)


def competition_ranks(scores: Floats) -> Floats:
    """Return 1 + the number of rows with a greater score, float64 [n]; equal scores share a rank."""
    ascending = np.sort(scores)
    return (len(scores) - np.searchsorted(ascending, scores, side="right") + 1).astype(np.float64)


def smooth(values: Floats, counts: Floats, prior: float, strength: float) -> Floats:
    """Return means pulled towards `prior` as if by `strength` more observations; NaN stays NaN.

    The posterior mean of a conjugate prior: (Σ observations + prior · strength) / (count + strength).
    """
    return (values * counts + prior * strength) / (counts + strength)
