"""What of the matches a request wants: under which filter, with which facets, variants as one or each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aisle.catalog.v1.matches_pb2 import Count, Emptiness, EmptyReason, Facet
from services.retrieval.conditions import Condition, meeting
from services.retrieval.counting import count
from services.retrieval.emptiness import why
from services.retrieval.facets import facet
from services.retrieval.filters.syntax import Filter
from services.retrieval.fusion import Rows, Scores
from services.retrieval.narrowing import but
from services.retrieval.rows import CatalogRows
from services.retrieval.values import Codes, Mask
from services.retrieval.variants import collapse, sizes

DEFAULT_FACET_LIMIT = 10


@dataclass(frozen=True)
class Selection:
    """A request's wish; without one, everything that matches is wanted.

    With `bounded_counts` counts may be bounds where exact ones cost a look at all that a filter lets through.
    """

    filter: Filter | None = None
    facets: Sequence[str] = ()
    facet_limit: int = DEFAULT_FACET_LIMIT
    collapse_variants: bool = False
    bounded_counts: bool = False

    @property
    def counts_all(self) -> bool:
        """Whether all that is let through must be looked at, to be counted or chosen from."""
        return not self.bounded_counts or bool(self.facets) or self.collapse_variants


EVERYTHING = Selection()


@dataclass(frozen=True)
class Selected:
    """The matches that are let through: `found` with all variants, `kept` with one of each, both bool [n].

    `others`, bool [n], meet the filter too but do not match: they follow where fewer match than are wanted,
    and count nowhere.
    """

    found: Mask
    kept: Mask
    others: Mask
    total: Count
    facets: Sequence[Facet] = ()
    emptiness: Emptiness | None = None
    groups: Codes | None = field(default=None, repr=False)

    def variants(self, rows: Rows) -> list[int]:
        """Return how many variants stand behind each of `rows`; none at all unless they were collapsed."""
        return [] if self.groups is None else sizes(rows, self.found, self.groups).tolist()


def select(
    catalog: CatalogRows,
    wish: Selection,
    conditions: Sequence[Condition],
    matching: Mask,
    scores: Scores,
    *,
    beside: Mask | None = None,
    nothing: "EmptyReason.ValueType" = EmptyReason.EMPTY_REASON_NOTHING_ELSE,
    unseen: int = 0,
) -> Selected:
    """Return what of the `matching` rows, bool [n], the wish lets through; scores: float32 [n].

    `beside`, bool [n], holds what may follow the matches; nothing may without it. `conditions` are those of
    the wish's filter. `nothing` is why there would be no matching rows in a catalogue that has products,
    `unseen` how many may match beside those in `matching`. Raises InvalidArgument naming `facets` when there
    is no such field.
    """
    groups = groups_of(catalog, wish)

    def kept_of(found: Mask) -> Mask:
        return found if groups is None else collapse(found, scores, groups)

    found = meeting(matching, conditions)
    kept = kept_of(found)
    facets = []
    for name in wish.facets:
        rest = but(conditions, name)
        mask = kept if len(rest) == len(conditions) else kept_of(meeting(matching, rest))
        facets.append(facet(name, wish.facet_limit, catalog, mask, unseen))
    others = (
        _others(meeting(beside, conditions), found, scores, groups)
        if beside is not None
        else np.zeros_like(kept)
    )
    emptiness = None
    if not kept.any() and not others.any():
        emptiness = why(matching, conditions, lambda mask: int(np.count_nonzero(kept_of(mask))), nothing)
    total = count(int(np.count_nonzero(kept)), unseen)
    return Selected(found, kept, others, total, facets, emptiness, groups)


def groups_of(catalog: CatalogRows, wish: Selection) -> Codes | None:
    """Return the group of each row, int32 [n], −1 for none; None when variants are not to be collapsed."""
    return catalog.columns.texts("group").combinations(len(catalog)) if wish.collapse_variants else None


def _others(beside: Mask, found: Mask, scores: Scores, groups: Codes | None) -> Mask:
    """Return which rows of `beside` may follow the `found` ones, bool [n]; of each other group, the best."""
    others: Mask = beside & ~found
    if groups is None:
        return others
    shown = np.isin(groups, groups[found & (groups >= 0)])
    return collapse(others & ~shown, scores, groups)
