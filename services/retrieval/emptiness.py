"""Why nothing was found, in terms a shop can act on."""

from collections.abc import Callable, Sequence

import numpy as np

from aisle.catalog.v1.matches_pb2 import Emptiness, EmptyReason
from services.retrieval.conditions import Condition, meeting
from services.retrieval.counting import count
from services.retrieval.values import Mask


def why(
    matching: Mask,
    conditions: Sequence[Condition],
    number_of: Callable[[Mask], int],
    nothing: "EmptyReason.ValueType",
) -> Emptiness:
    """Return why no row of `matching`, bool [n], meets the conditions.

    `number_of` counts the hits of a mask; `nothing` is the reason when a catalogue with products holds no
    match at all.
    """
    if not matching.size:
        return Emptiness(reason=EmptyReason.EMPTY_REASON_CATALOG_EMPTY)
    if not conditions or not matching.any():
        return Emptiness(reason=nothing)
    without = [number_of(meeting(matching, _but(conditions, place))) for place in range(len(conditions))]
    alone = [number_of(meeting(matching, [each])) for each in conditions]
    worst = int(np.lexsort((alone, [-each for each in without]))[0])
    return Emptiness(
        reason=EmptyReason.EMPTY_REASON_FILTERED,
        without_filter=count(number_of(matching)),
        condition=conditions[worst].text,
        without_condition=count(without[worst]),
    )


def _but(conditions: Sequence[Condition], place: int) -> list[Condition]:
    return [*conditions[:place], *conditions[place + 1 :]]
