"""The searches of the served index that a filter or facets narrow, and those that have no query."""

from collections.abc import Mapping, Sequence

from bench.retrieval.measuring import Find
from bench.retrieval.ours import LIMIT
from bench.retrieval.sets import SearchSet
from services.retrieval.filters.parsing import parse
from services.retrieval.index import CatalogIndex
from services.retrieval.selection import Selection

_HISTORY = 10  # products
_MOST_TYPED = 6  # characters


# By name: a filter, the facets that are counted, and whether counts may be bounds.
WISHES: Mapping[str, tuple[str, Sequence[str], bool]] = {
    "filter-broad": ("price < 100", (), False),
    "filter-broad-bounded": ("price < 100", (), True),
    "filter-narrow": ("attributes.color = black AND price < 100", (), False),
    "facets": ("", ("brand", "category", "attributes.color", "price"), False),
    "filter+facets": ("attributes.color = black", ("brand", "category.1", "attributes.color"), False),
}


def narrowed(
    index: CatalogIndex, searched: SearchSet, condition: str, facets: Sequence[str], bounded: bool
) -> Find:
    """A place for each of the 200 candidates that meet the filter `condition`; the facets are counted."""
    wish = Selection(filter=parse(condition), facets=facets, bounded_counts=bounded)

    def find(query: int) -> Sequence[int]:
        found = index.search(searched.texts[query], searched.queries[query], LIMIT, wish=wish)
        return range(len(found.candidates.products.ids))

    return find


def for_user(index: CatalogIndex, searched: SearchSet) -> Find:
    """Recommendations for users whose histories are ten products each."""
    ids = [product.id for product in searched.products]

    def find(query: int) -> Sequence[int]:
        first = query * _HISTORY % (len(ids) - _HISTORY)
        found = index.for_user(ids[first : first + _HISTORY], LIMIT)
        return range(len(found.candidates.products.ids))

    return find


def suggested(index: CatalogIndex, searched: SearchSet) -> Find:
    """Suggestions for the first one to six characters of each query."""
    index.suggester.prepare().result()

    def find(query: int) -> Sequence[int]:
        prefix = searched.texts[query][: 1 + query % _MOST_TYPED]
        return range(len(index.suggester.suggest(prefix)))

    return find
