"""The way of a read: profile, then intent and candidates at once, then ranking and re-ranking, then the page.

Search, Recommend and FindSimilar differ only in what they ask for. Every stage has its share of the time
left, and every stage but the last resort can be missing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.matches_pb2 import Count, Emptiness, Facet
from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import Stage
from aisle.catalog.v1.user_pb2 import HistoryItem, UserContext
from aisle.catalog.v1.words_pb2 import DidYouMean
from aisle.gateway.v1.gateway_pb2 import AnswerInfo, ConstraintReport, Hit, Narrowing
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import GetProductsRequest, RetrieveRequest, RetrieveResponse
from gateway.backends import Backends
from gateway.budget import Budget
from gateway.candidates import find_candidates
from gateway.constraints import Policy
from gateway.degradation import StageFailure
from gateway.emptiness import why_empty
from gateway.merge import HitPage, merge, turn
from gateway.narrowing import Narrowed, Narrower
from gateway.notes import Notes
from gateway.order import Order, order_candidates
from gateway.pages import Page
from gateway.pins import Pinned
from gateway.popular import PopularList
from gateway.profile import read_history
from gateway.reranking import Reranker
from gateway.shelves import LATEST, both, other_categories
from gateway.understanding import Reading, neutral, read_first, searched_instead, understand
from runtime.serving import deadline
from runtime.serving.errors import NotFound, Unavailable
from runtime.state.events import ProfileStore
from runtime.state.review_counts import ReviewCounts


@dataclass(frozen=True)
class Wish:
    """What a read asks for: `source` with all it is to find set, and the query if there is one.

    `ranking` holds what the caller asks of the order: weights, and whether it is to be explained.
    `instead_of_history` stands for the user's own, and must be in the catalogue; with `elsewhere` only other
    categories than those of the history's products are wanted.
    """

    source: RetrieveRequest
    surface: "Surface.ValueType"
    page: Page
    user_id: str = ""
    query: str = ""
    recent_queries: Sequence[str] = ()
    narrowing: Narrowing = field(default_factory=Narrowing)
    ranking: RankRequest = field(default_factory=RankRequest)
    instead_of_history: Sequence[HistoryItem] = ()
    elsewhere: bool = False


@dataclass(frozen=True)
class Answer:
    """What a read gives; `understanding` is neutral where there was no query or no reading of it."""

    hits: Sequence[Hit]
    next_page_token: str
    understanding: Understanding
    info: AnswerInfo
    total: Count | None = None
    facets: Sequence[Facet] = ()
    emptiness: Emptiness | None = None
    did_you_mean: DidYouMean | None = None
    constraints: Sequence[ConstraintReport] = ()


class Flow:
    """Answers wishes with the services behind the gateway."""

    def __init__(
        self,
        backends: Backends,
        profiles: ProfileStore,
        popular: PopularList,
        budget: Budget,
        *,
        reviews: ReviewCounts,
        candidates: int,
        policy: Policy,
        reranked: int = 0,
        shared_pass: bool = False,
    ) -> None:
        """With a `shared_pass` retrieval is asked after intent, with the embedding that its pass made."""
        self._backends = backends
        self._profiles = profiles
        self._popular = popular
        self._budget = budget
        self._reviews = reviews
        self._candidates = candidates
        self._narrower = Narrower(backends, budget, policy)
        self._reranker = Reranker(backends, budget, reranked)
        self._shared_pass = shared_pass

    @property
    def budget(self) -> Budget:
        """How the time of a request is divided."""
        return self._budget

    async def answer(self, wish: Wish) -> Answer:
        """Return the answer inside the deadline.

        A later page is read off what the first one pinned; nothing is understood, found or ranked again.
        Raises InvalidArgument or NotFound when a service refuses the wish itself, and Unavailable when
        retrieval is gone and the popular list, as far as it was ever read, cannot stand in for it. It never
        can where a filter was given: a shop that asks for what is in stock must not be shown other products.
        """
        notes, understanding, narrowed = Notes(), None, Narrowed(None)
        with notes.clock.stage("total"):
            if wish.page.pinned is not None:
                page = await self._later_page(wish.page.pinned, wish.page, notes)
            else:
                user = await self._user(wish, notes)
                understanding, narrowed = await self._read_and_retrieve(wish, user, notes)
                page = await self._first_page(wish, user, understanding, narrowed.retrieved, notes)
        retrieved = narrowed.retrieved
        return Answer(
            hits=page.hits,
            next_page_token=page.next_page_token,
            understanding=understanding or neutral(),
            info=notes.info(),
            total=page.total,
            facets=retrieved.facets if retrieved else (),
            emptiness=None if page.hits else why_empty(retrieved),
            did_you_mean=_offer(retrieved),
            constraints=narrowed.constraints,
        )

    async def _user(self, wish: Wish, notes: Notes) -> UserContext:
        if wish.instead_of_history:
            return UserContext(user_id=wish.user_id, history=wish.instead_of_history)
        seconds = self._budget.profile(deadline.remaining())
        history = await read_history(self._profiles, wish.user_id, seconds, notes)
        return UserContext(user_id=wish.user_id, history=history, recent_queries=wish.recent_queries)

    async def _read_and_retrieve(
        self, wish: Wish, user: UserContext, notes: Notes
    ) -> tuple[Understanding | None, Narrowed]:
        request = RetrieveRequest(
            history_ids=[item.product_id for item in user.history], limit=self._candidates
        )
        request.MergeFrom(wish.source)
        if not wish.query:
            return None, Narrowed(await self._find(wish, user, request, notes))
        read, found = await self._both(wish, user, request, notes)
        if read is not None and (meant := searched_instead(found)):
            seconds = self._budget.intent(deadline.remaining())
            read = await understand(self._backends, meant, user, seconds, notes) or read
        understanding = read.understanding if read else None
        narrowed = await self._narrower.narrow(request, found, understanding, wish.narrowing, notes)
        return understanding, narrowed

    async def _both(
        self, wish: Wish, user: UserContext, request: RetrieveRequest, notes: Notes
    ) -> tuple[Reading | None, RetrieveResponse | None]:
        """Understand and search at once, or one after the other with the embedding put into `request`."""
        remaining, shared = deadline.remaining(), self._shared_pass
        seconds = self._budget.intent(remaining)
        reading = understand(self._backends, wish.query, user, seconds, notes, embed=shared)
        if not shared:
            return await asyncio.gather(reading, self._find(wish, user, request, notes))

        async def find(embedding: QueryEmbedding | None) -> RetrieveResponse | None:
            request.MergeFrom(RetrieveRequest(query_embedding=embedding))
            return await self._find(wish, user, request, notes)

        return await read_first(reading, find, self._budget.head_start(remaining))

    async def _find(
        self, wish: Wish, user: UserContext, request: RetrieveRequest, notes: Notes
    ) -> RetrieveResponse | None:
        if wish.elsewhere and user.history:
            try:
                held = await self._products([item.product_id for item in user.history[:LATEST]])
            except StageFailure as error:
                notes.missing(Stage.STAGE_RETRIEVAL, error)
                return None
            if wish.instead_of_history and not held:
                raise NotFound(f"the catalogue holds no product {user.history[0].product_id!r}")
            request.filter = both(request.filter, other_categories(held))
        seconds = self._budget.retrieval(deadline.remaining())
        return await find_candidates(self._backends, request, seconds, notes)

    async def _first_page(
        self,
        wish: Wish,
        user: UserContext,
        understanding: Understanding | None,
        retrieved: RetrieveResponse | None,
        notes: Notes,
    ) -> HitPage:
        if retrieved is None:
            return self._popular_page(wish, user, understanding)
        order = await self._order(wish, user, understanding, retrieved, notes)
        try:
            with notes.clock.stage("products"):
                return await merge(retrieved, order, wish.page, self._products)
        except StageFailure as error:
            notes.missing(Stage.STAGE_RETRIEVAL, error)
            return self._popular_page(wish, user, understanding)

    async def _later_page(self, pinned: Pinned, page: Page, notes: Notes) -> HitPage:
        async def read(ids: list[str]) -> Sequence[Product]:
            try:
                return await self._products(ids)
            except StageFailure as error:
                held = self._popular.held(ids)
                if not held:
                    raise Unavailable(
                        "retrieval is gone, and it holds this page's products; the page token stays good",
                        retry_seconds=1.0,
                    ) from error
                notes.missing(Stage.STAGE_RETRIEVAL, error)
                return held

        with notes.clock.stage("products"):
            return await turn(pinned, page, read)

    async def _order(
        self,
        wish: Wish,
        user: UserContext,
        understanding: Understanding | None,
        retrieved: RetrieveResponse,
        notes: Notes,
    ) -> Order:
        request = RankRequest(
            candidates=retrieved.candidates,
            understanding=understanding,
            user=user,
            history=retrieved.history,
            surface=wish.surface,
            query=wish.query,
            reviews=self._reviews.columns(retrieved.candidates.products.ids),
        )
        request.MergeFrom(wish.ranking)
        seconds = self._budget.ranking(deadline.remaining())
        order = await order_candidates(self._backends, request, seconds, notes)
        return await self._reranker.rerank(request, searched_instead(retrieved) or wish.query, order, notes)

    async def _products(self, ids: list[str]) -> Sequence[Product]:
        seconds = self._budget.products(deadline.remaining())
        answer = await self._backends.get_products(GetProductsRequest(ids=ids), seconds)
        return answer.products

    def _popular_page(self, wish: Wish, user: UserContext, understanding: Understanding | None) -> HitPage:
        if wish.source.filter.strip() or wish.elsewhere:
            raise Unavailable(
                "retrieval is gone, and without it the filter cannot be kept", retry_seconds=1.0
            )
        if not len(self._popular):
            raise Unavailable("retrieval is gone and no popular products are known yet", retry_seconds=1.0)
        seen = {item.product_id for item in user.history}
        return self._popular.page(wish.page, understanding, seen, wish.source.collapse_variants)


def _offer(retrieved: RetrieveResponse | None) -> DidYouMean | None:
    return retrieved.did_you_mean if retrieved and retrieved.HasField("did_you_mean") else None
