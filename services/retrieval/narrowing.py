"""Which rows a filter and facets make a search look at, beside the best of the whole catalogue."""

from collections.abc import Sequence

import numpy as np

from services.retrieval.conditions import Condition, meeting
from services.retrieval.facets import filtered_field
from services.retrieval.values import Mask


def but(conditions: Sequence[Condition], facet: str) -> list[Condition]:
    """Return the conditions under which the facet of that name is counted: all but those on its own field."""
    return [each for each in conditions if each.field != filtered_field(facet)]


def looked_at(allowed: Mask, conditions: Sequence[Condition], facets: Sequence[str]) -> Mask:
    """Return which of the `allowed` rows, bool [n], are counted anywhere in the answer, as a new mask.

    They are those that meet the conditions, or all but those on a facet's own field. When none does, they are
    all, as the reason for an empty answer tells how many would match without the conditions.
    """
    passing = meeting(allowed, conditions)
    if not passing.any():
        return allowed.copy()
    relaxed = [rest for name in facets if len(rest := but(conditions, name)) < len(conditions)]
    looked: Mask = np.logical_or.reduce([passing, *(meeting(allowed, rest) for rest in relaxed)])
    return looked
