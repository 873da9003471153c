"""What the service says about words: how a query is read, and how a beginning may go on."""

from dataclasses import dataclass
from functools import partial

from aisle.catalog.v1.words_pb2 import DidYouMean
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest, SuggestRequest, SuggestResponse
from services.retrieval.catalog import Catalog
from services.retrieval.validation import check_suggest
from services.retrieval.words.suggesting import DEFAULT_LIMIT


@dataclass(frozen=True)
class Reading:
    """The query that is searched for, and the one that is offered; the same when that was sure enough."""

    query: str
    offered: str = ""


async def read_query(catalog: Catalog, request: RetrieveRequest) -> Reading:
    """Return how the query of `request` is read; only a query with an unknown word waits for a thread."""
    query, index = request.query, catalog.index
    if request.exact_spelling or not index.may_be_misspelt(query):
        return Reading(query)
    correction = await catalog.search(partial(index.correct, query))
    if correction is None:
        return Reading(query)
    return Reading(correction.query if correction.confident else query, correction.query)


def did_you_mean(request: RetrieveRequest, reading: Reading) -> DidYouMean | None:
    """Return what the caller is told of `reading`, None when there is nothing to tell."""
    if not reading.offered:
        return None
    return DidYouMean(query=reading.offered, applied=reading.query != request.query)


async def suggest(catalog: Catalog, request: SuggestRequest) -> SuggestResponse:
    """Return how `request.prefix` may go on; raises InvalidArgument naming each wrong field."""
    check_suggest(request)
    suggester, limit = catalog.index.suggester, request.limit or DEFAULT_LIMIT
    found = await catalog.search(partial(suggester.suggest, request.prefix, limit, request.language))
    return SuggestResponse(suggestions=found)
