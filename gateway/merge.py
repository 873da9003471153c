"""The page of an answer, from candidates, their order, and the products as they are now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aisle.catalog.v1.matches_pb2 import Count
from aisle.catalog.v1.product_pb2 import Product
from aisle.gateway.v1.gateway_pb2 import Hit, ScoreParts
from aisle.retrieval.v1.retrieval_pb2 import Candidates, RetrieveResponse
from gateway.order import Order
from gateway.pages import MOST_PAGE_SIZE, Page
from gateway.pins import Pinned

# Returns the products of ids, unknown ones left out.
Read = Callable[[list[str]], Awaitable[Sequence[Product]]]


@dataclass(frozen=True)
class HitPage:
    """Hits, best first, the token of the page after them, empty on the last one, and how many match.

    `total` is None when it is not known.
    """

    hits: Sequence[Hit]
    next_page_token: str
    total: Count | None = None


async def merge(retrieved: RetrieveResponse, order: Order, page: Page, read: Read) -> HitPage:
    """Return the first page; the order of all that follows it is pinned in its token."""
    candidates = retrieved.candidates
    ids, variants = candidates.products.ids, candidates.variants
    whole = Pinned(
        [ids[row] for row in order.rows],
        list(order.scores),
        retrieved.total if retrieved.HasField("total") else None,
        [variants[row] for row in order.rows] if variants else (),
    )
    places, products = await _fill(whole, page.size, read)
    answer = _page(page, whole, places, products, [_parts(candidates, order, place) for place in places])
    _say_why(answer.hits, order, places)
    return answer


async def turn(pinned: Pinned, page: Page, read: Read) -> HitPage:
    """Return a later page: the products that were pinned, as they are now. Scores are those of then."""
    places, products = await _fill(pinned, page.size, read)
    return _page(page, pinned, places, products, [None] * len(places))


def _page(
    page: Page,
    pinned: Pinned,
    places: Sequence[int],
    products: Sequence[Product],
    parts: Sequence[ScoreParts | None],
) -> HitPage:
    hits = [
        Hit(
            product=product,
            score=pinned.scores[place],
            parts=part,
            variants=pinned.variants[place] if pinned.variants else 0,
        )
        for place, product, part in zip(places, products, parts, strict=True)
    ]
    return HitPage(hits, page.token(pinned.after(_end(places, pinned, page.size))), pinned.total)


async def _fill(pinned: Pinned, size: int, read: Read) -> tuple[list[int], list[Product]]:
    """Return the first `size` products that still exist, and their places in `pinned`.

    A product that was deleted since gives its place to the next one.
    """
    places: list[int] = []
    products: list[Product] = []
    start, wanted = 0, size
    while len(places) < size and start < len(pinned.ids):
        asked = pinned.ids[start : start + wanted]
        held = {product.id: product for product in await read(list(asked))}
        for place, product_id in enumerate(asked, start=start):
            if product_id in held and len(places) < size:
                places.append(place)
                products.append(held[product_id])
        start += len(asked)
        wanted = MOST_PAGE_SIZE  # after deletions, one more call finds enough however many there were
    return places, products


def _end(places: Sequence[int], pinned: Pinned, size: int) -> int:
    """Return the place after the page: after its last hit, or the end where it could not be filled."""
    return places[-1] + 1 if len(places) == size else len(pinned.ids)


def _say_why(hits: Sequence[Hit], order: Order, places: Sequence[int]) -> None:
    """Add to each hit what moved it and, where it was asked for, what its score is made of."""
    if order.predictions is None:
        return
    moved = {each.place: each.moves for each in order.predictions.moves}
    explanations = order.predictions.explanations
    for hit, place in zip(hits, places, strict=True):
        hit.moves.extend(moved.get(place, ()))
        if place < len(explanations):
            hit.explanation.CopyFrom(explanations[place])


def _parts(candidates: Candidates, order: Order, place: int) -> ScoreParts:
    row = order.rows[place]
    ranks = {channel.channel: channel.ranks[row] for channel in candidates.channels if channel.ranks[row]}
    parts = ScoreParts(fused=candidates.fused_scores[row], channel_ranks=ranks)
    if order.predictions is not None:
        parts.click_probability = order.predictions.click_probabilities[place]
        parts.conversion_probability = order.predictions.conversion_probabilities[place]
        parts.relevance = order.predictions.relevances[place]
    if row in order.read:
        parts.cross_encoder_relevance = order.read[row]
    return parts
