"""The page of an answer, put together from columns."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.catalog.v1.columns_pb2 import ProductColumns
from aisle.catalog.v1.matches_pb2 import Count
from aisle.catalog.v1.product_pb2 import Product
from aisle.ranking.v1.ranking_pb2 import RankResponse
from aisle.retrieval.v1.retrieval_pb2 import Candidates, ChannelColumn, RetrieveResponse
from gateway.merge import HitPage, merge, turn
from gateway.order import Order, fused_order
from gateway.pages import Page, read_page
from gateway.pins import Pinned
from runtime.serving.errors import Violations


class Catalogue:
    """Products that exist now, and the reads made of them."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = set(ids)
        self.reads: list[list[str]] = []

    async def read(self, ids: list[str]) -> list[Product]:
        self.reads.append(ids)
        return [Product(id=each) for each in ids if each in self._ids]


def _candidates(n: int) -> Candidates:
    return Candidates(
        products=ProductColumns(ids=[f"p{row}" for row in range(n)]),
        fused_scores=[float(n - row) for row in range(n)],
        channels=[
            ChannelColumn(channel="lexical", scores=[1.0] * n, ranks=[row % 3 for row in range(n)]),
            ChannelColumn(channel="dense", scores=[0.5] * n, ranks=[row + 1 for row in range(n)]),
        ],
        history_affinities=[0.0] * n,
    )


def _count(n: int) -> Count:
    return Count(value=n, lower=n, upper=n, exact=True)


def _found(candidates: Candidates) -> RetrieveResponse:
    return RetrieveResponse(candidates=candidates)


def _learned(n: int) -> Order:
    rows = list(range(n))
    random.Random(n).shuffle(rows)
    scores = [float(n - place) for place in range(n)]
    answer = RankResponse(
        order=rows,
        scores=scores,
        click_probabilities=[row / 1000 for row in rows],
        conversion_probabilities=[row / 2000 for row in rows],
        relevances=[row / 3000 for row in rows],
    )
    return Order(answer.order, answer.scores, answer)


async def _pages(candidates: Candidates, order: Order, size: int, catalogue: Catalogue) -> list[HitPage]:
    retrieved = RetrieveResponse(candidates=candidates, total=_count(len(order.rows)))
    pages = [await merge(retrieved, order, Page(size, ("q",)), catalogue.read)]
    while token := pages[-1].next_page_token:
        page = read_page(Violations(), size, token, "q")
        assert page.pinned is not None
        pages.append(await turn(page.pinned, page, catalogue.read))
    return pages


@given(n=st.integers(0, 60), size=st.integers(1, 25), deleted=st.sets(st.integers(0, 59)))
async def test_pages_hold_every_product_that_still_exists_once_and_in_order(
    n: int, size: int, deleted: set[int]
) -> None:
    candidates, order = _candidates(n), _learned(n)
    expected = [f"p{row}" for row in order.rows if row not in deleted]
    pages = await _pages(candidates, order, size, Catalogue(expected))
    assert [hit.product.id for page in pages for hit in page.hits] == expected
    assert all(len(page.hits) == size for page in pages[:-1])
    assert [page.total for page in pages] == [_count(n)] * len(pages)


async def test_hit_carries_the_parts_of_its_score() -> None:
    candidates, order = _candidates(10), _learned(10)
    page = await merge(_found(candidates), order, Page(4, ()), Catalogue([f"p{n}" for n in range(10)]).read)
    hit = page.hits[3]
    row = order.rows[3]
    assert hit.product.id == f"p{row}"
    assert hit.score == 7.0
    assert hit.parts.fused == 10 - row
    assert hit.parts.channel_ranks["dense"] == row + 1
    assert ("lexical" in hit.parts.channel_ranks) == (row % 3 > 0)
    assert hit.parts.click_probability == pytest.approx(row / 1000)
    assert hit.parts.conversion_probability == pytest.approx(row / 2000)
    assert hit.parts.relevance == pytest.approx(row / 3000)


async def test_fused_order_has_no_predictions() -> None:
    candidates = _candidates(3)
    page = await merge(
        _found(candidates), fused_order(candidates), Page(3, ()), Catalogue(["p0", "p1", "p2"]).read
    )
    assert [hit.product.id for hit in page.hits] == ["p0", "p1", "p2"]
    assert [hit.score for hit in page.hits] == [3.0, 2.0, 1.0]
    assert not any(hit.parts.HasField("click_probability") for hit in page.hits)


async def test_one_read_is_enough_when_nothing_was_deleted() -> None:
    catalogue = Catalogue([f"p{n}" for n in range(50)])
    await merge(_found(_candidates(50)), _learned(50), Page(10, ()), catalogue.read)
    assert [len(ids) for ids in catalogue.reads] == [10]


async def test_few_reads_are_enough_when_almost_all_was_deleted() -> None:
    catalogue = Catalogue(["p199"])
    candidates = _candidates(200)
    page = await merge(_found(candidates), fused_order(candidates), Page(1, ()), catalogue.read)
    assert [hit.product.id for hit in page.hits] == ["p199"]
    assert len(catalogue.reads) <= 3


async def test_page_of_which_all_was_deleted_is_an_empty_last_one() -> None:
    pinned = Pinned(["a", "b"], [2.0, 1.0], _count(9))
    assert await turn(pinned, Page(10, ()), Catalogue([]).read) == HitPage([], "", _count(9))


async def test_variants_are_told_on_every_page() -> None:
    candidates = _candidates(4)
    candidates.variants.extend([1, 2, 3, 4])
    pages = await _pages(candidates, fused_order(candidates), 2, Catalogue([f"p{n}" for n in range(4)]))
    assert [hit.variants for page in pages for hit in page.hits] == [1, 2, 3, 4]
