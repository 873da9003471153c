"""A flow over scripted services, what it is asked, and what is read off its answers."""

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.ranking.v1.ranking_pb2 import Surface
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest
from gateway.backends import Backends
from gateway.flow import Answer, Flow, Wish
from gateway.pages import read_page
from gateway.popular import PopularList
from gateway.settings import GatewaySettings
from runtime.serving.errors import Violations
from runtime.state.review_counts import ReviewCounts
from runtime.state.sqlite import SqliteState
from tests.gateway.scripted_services import N


def flow_of(
    settings: GatewaySettings, backends: Backends, state: SqliteState, popular: PopularList | None = None
) -> Flow:
    """The flow that a gateway with these settings has."""
    return Flow(
        backends,
        state,
        PopularList(backends, size=N) if popular is None else popular,
        settings.budget(),
        reviews=ReviewCounts(),
        candidates=200,
        policy=settings.policy(),
        reranked=settings.rerank,
        shared_pass=settings.encoder_pass == "shared",
    )


def wish_of(
    source: RetrieveRequest | None = None, query: str = "shoe", size: int = 3, page_token: str = ""
) -> Wish:
    """A search for `query`, or for what `source` says."""
    violations = Violations()
    page = read_page(violations, size, page_token, query)
    violations.raise_if_any()
    asked = source or RetrieveRequest(query=query)
    return Wish(source=asked, surface=Surface.SURFACE_SEARCH, page=page, query=query)


def told_of(answer: Answer) -> dict[str, str]:
    """Why each stage that is missing is, by stage."""
    return {Stage.Name(each.stage): each.reason.partition(":")[0] for each in answer.info.degraded}


def ids_of(answer: Answer) -> list[str]:
    """The hits of the page."""
    return [hit.product.id for hit in answer.hits]
