"""The page of an answer, from candidates, their order, and the products as they are now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import Hit, ScoreParts
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from gateway.order import Order
from gateway.pages import MOST_PAGE_SIZE, Page


@dataclass(frozen=True)
class HitPage:
    """Hits, best first, and the token of the page after them, empty on the last one."""

    hits: Sequence[Hit]
    next_page_token: str


async def merge(
    candidates: Candidates,
    order: Order,
    page: Page,
    read: Callable[[list[str]], Awaitable[Sequence[Product]]],
) -> HitPage:
    """Return the page's hits; `read` returns the products of ids, unknown ones left out.

    A product that was deleted since it was retrieved gives its place to the next candidate.
    """
    ids, rows = candidates.products.ids, order.rows
    hits: list[Hit] = []
    place, wanted = page.offset, page.size
    while len(hits) < page.size and place < len(rows):
        asked = [ids[row] for row in rows[place : place + wanted]]
        held = {product.id: product for product in await read(asked)}
        for product_id in asked:
            if len(hits) == page.size:
                break
            if product_id in held:
                hits.append(_hit(held[product_id], candidates, order, place))
            place += 1
        wanted = MOST_PAGE_SIZE  # after deletions, one more call finds enough however many there were
    return HitPage(hits, page.token_at(place) if place < len(rows) else "")


def _hit(product: Product, candidates: Candidates, order: Order, place: int) -> Hit:
    row = order.rows[place]
    ranks = {channel.channel: channel.ranks[row] for channel in candidates.channels if channel.ranks[row]}
    parts = ScoreParts(fused=candidates.fused_scores[row], channel_ranks=ranks)
    if order.predictions is not None:
        parts.click_probability = order.predictions.click_probabilities[place]
        parts.conversion_probability = order.predictions.conversion_probabilities[place]
        parts.relevance = order.predictions.relevances[place]
    variants = candidates.variants[row] if candidates.variants else 0
    return Hit(product=product, score=order.scores[place], parts=parts, variants=variants)
