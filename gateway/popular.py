"""The popular products, kept in the gateway for when retrieval is gone."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import Hit, ScoreParts
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.retrieval.v1.retrieval_pb2 import ForUser, GetProductsRequest, RetrieveRequest
from gateway.backends import Backends
from gateway.degradation import StageFailure
from gateway.merge import HitPage
from gateway.pages import Page
from gateway.pins import Pinned
from runtime.observability.logs import get_logger

logger = get_logger(__name__)

_REFRESH_TIMEOUT_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_SURE = 0.5


class PopularList:
    """The latest popular products that retrieval told of, most popular first."""

    def __init__(self, backends: Backends, size: int) -> None:
        self._backends = backends
        self._size = size
        self._products: Sequence[Product] = ()

    def __len__(self) -> int:
        return len(self._products)

    async def refresh(self) -> None:
        """Read the list anew; what was known stays when retrieval does not answer."""
        request = RetrieveRequest(for_user=ForUser(), limit=self._size)
        try:
            popular = await self._backends.retrieve(request, _REFRESH_TIMEOUT_SECONDS)
            ids = popular.candidates.products.ids
            if not ids:
                return
            answer = await self._backends.get_products(GetProductsRequest(ids=ids), _REFRESH_TIMEOUT_SECONDS)
        except StageFailure as error:
            logger.debug("popular_list_not_refreshed", error=str(error))
            return
        self._products = tuple(answer.products)

    @asynccontextmanager
    async def refreshing(self, seconds: float) -> AsyncIterator[None]:
        """Refresh in the background every `seconds`, and every second until something is known."""
        task = asyncio.create_task(self._refresh_forever(seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _refresh_forever(self, seconds: float) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(seconds if self._products else min(seconds, _RETRY_SECONDS))

    def page(
        self,
        page: Page,
        understanding: Understanding | None,
        without: Collection[str],
        collapse_variants: bool = False,
    ) -> HitPage:
        """Return the first page of the list without some products, those of the query's category first.

        With `collapse_variants` only the most popular product of a group is shown.
        """
        category = _category(understanding)
        allowed = [product for product in self._products if product.id not in without]
        ordered = sorted(allowed, key=lambda product: not _belongs(product, category))
        if collapse_variants:
            ordered = _first_of_each_group(ordered)
        hits = [
            Hit(product=product, score=1 / rank, parts=ScoreParts(channel_ranks={"popular": rank}))
            for rank, product in enumerate(ordered, start=1)
        ]
        whole = Pinned([hit.product.id for hit in hits], [hit.score for hit in hits])
        return HitPage(hits[: page.size], page.token(whole.after(page.size)))

    def held(self, ids: Collection[str]) -> list[Product]:
        """Return those of the products with `ids` that are in the list."""
        return [product for product in self._products if product.id in ids]


def _first_of_each_group(products: Sequence[Product]) -> list[Product]:
    groups = {product.group_id: product for product in reversed(products)}
    return [each for each in products if not each.group_id or groups[each.group_id] is each]


def _category(understanding: Understanding | None) -> str:
    likeliest = understanding.categories[:1] if understanding else []
    return likeliest[0].label if likeliest and likeliest[0].probability >= _SURE else ""


def _belongs(product: Product, category: str) -> bool:
    return not category or "/".join(product.category_path) == category
