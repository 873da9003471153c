"""What of the matches a request wants: under which filter, with which facets, variants as one or each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aisle.catalog.v1.matches_pb2 import Count, Emptiness, EmptyReason, Facet
from services.retrieval.conditions import conditions_of, meeting
from services.retrieval.counting import count
from services.retrieval.emptiness import why
from services.retrieval.facets import facet, filtered_field
from services.retrieval.filters.syntax import Filter
from services.retrieval.fusion import Rows, Scores
from services.retrieval.rows import CatalogRows
from services.retrieval.values import Codes, Mask
from services.retrieval.variants import collapse, sizes

DEFAULT_FACET_LIMIT = 10


@dataclass(frozen=True)
class Selection:
    """A request's wish; without one, everything that matches is wanted."""

    filter: Filter | None = None
    facets: Sequence[str] = ()
    facet_limit: int = DEFAULT_FACET_LIMIT
    collapse_variants: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True)
class Selected:
    """The matches that are let through: `found` with all variants, `kept` with one of each, both bool [n]."""

    found: Mask
    kept: Mask
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
    matching: Mask,
    scores: Scores,
    nothing: "EmptyReason.ValueType" = EmptyReason.EMPTY_REASON_NOTHING_ELSE,
) -> Selected:
    """Return what of the `matching` rows, bool [n], the wish lets through; scores: float32 [n].

    `nothing` is why there would be no matching rows in a catalogue that has products. Raises InvalidArgument
    naming `filter` or `facets` when there is no such field or a value is of another type.
    """
    conditions = conditions_of(wish.filter, catalog)
    groups = catalog.columns.texts("group").combinations(len(catalog)) if wish.collapse_variants else None

    def kept_of(found: Mask) -> Mask:
        return found if groups is None else collapse(found, scores, groups)

    found = meeting(matching, conditions)
    kept = kept_of(found)
    facets = []
    for name in wish.facets:
        others = [each for each in conditions if each.field != filtered_field(name)]
        mask = kept if len(others) == len(conditions) else kept_of(meeting(matching, others))
        facets.append(facet(name, wish.facet_limit, catalog, mask))
    emptiness = (
        None if kept.any() else why(matching, conditions, lambda mask: int(kept_of(mask).sum()), nothing)
    )
    return Selected(found, kept, count(int(kept.sum())), facets, emptiness, groups)
