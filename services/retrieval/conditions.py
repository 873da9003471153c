"""The conditions of a filter that must all be met, each with the rows that meet it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runtime.serving.errors import InvalidArgument
from services.retrieval.filters.evaluation import evaluate, field_of
from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import Filter, conjuncts, write
from services.retrieval.rows import CatalogRows
from services.retrieval.values import Mask


@dataclass(frozen=True)
class Condition:
    """One condition as text, the one field it is about ("" for several), and the rows that meet it."""

    text: str
    field: str
    mask: Mask


def conditions_of(tree: Filter | None, catalog: CatalogRows) -> list[Condition]:
    """Return the conditions of a filter. Raises InvalidArgument on a wrong field or type, naming `filter`."""
    if tree is None:
        return []
    try:
        return [Condition(write(each), field_of(each), evaluate(each, catalog)) for each in conjuncts(tree)]
    except FilterError as error:
        raise InvalidArgument({"filter": str(error)}) from error


def meeting(mask: Mask, conditions: Sequence[Condition]) -> Mask:
    """Return which rows of `mask`, bool [n], meet all conditions; `mask` itself when there are none."""
    if not conditions:
        return mask
    met: Mask = np.logical_and.reduce([mask, *(each.mask for each in conditions)])
    return met
