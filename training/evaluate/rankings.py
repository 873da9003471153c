"""What each stage of the search answers to each query, in process, by the code that serves."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from aisle.ranking.v1.ranking_pb2 import RankRequest, RankResponse, RerankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from services.intent.service import IntentServicer
from services.ranking.service import RankingService
from services.retrieval.text import passage
from training.evaluate.searched import Ranking, Searched


@dataclass(frozen=True)
class Ranker:
    """The services that order what retrieval found; a cross-encoder reads the first `reread` hits."""

    intent: IntentServicer
    ranking: RankingService
    reread: int = 0

    async def orders(
        self, query: str, candidates: Candidates, passages: Mapping[str, str]
    ) -> dict[str, Ranking]:
        """The ids of `candidates` as an anonymous user would see them: ranked, and reranked where asked.

        `passages`: the text of each product by its id.
        """
        request = await self.request(query, candidates)
        ranked = await self.ranking.Rank(request, None)
        found = {"ranked": ids_of(candidates, ranked)}
        if self.reread:
            rows, texts = read_first(candidates, ranked, passages, self.reread)
            asked = RerankRequest(request=request, query=query, rows=rows, passages=texts)
            again = (await self.ranking.Rerank(asked, None)).ranking if rows else ranked
            found["reranked"] = ids_of(candidates, again)
        return found

    async def request(self, query: str, candidates: Candidates) -> RankRequest:
        """What ranking is asked for an anonymous user."""
        understood = await self.intent.Understand(UnderstandRequest(query=query), None)
        return RankRequest(
            candidates=candidates,
            understanding=understood.understanding,
            surface=Surface.SURFACE_SEARCH,
        )


def ids_of(candidates: Candidates, ranked: RankResponse) -> Ranking:
    """The ids of `candidates`, best first."""
    return [candidates.products.ids[row] for row in ranked.order]


def read_first(
    candidates: Candidates, ranked: RankResponse, passages: Mapping[str, str], hits: int
) -> tuple[list[int], list[str]]:
    """The rows and passages of the first hits, those without a text left out."""
    texts = {row: passages[candidates.products.ids[row]] for row in ranked.order[:hits]}
    read = {row: text for row, text in texts.items() if text.strip()}
    return list(read), list(read.values())


def rankings(searched: Searched, ranker: Ranker | None) -> dict[str, list[Ranking]]:
    """By channel, the ranking of each of the set's queries: lexical, dense, fused and, with a ranker, its."""
    fused = searched.candidates()
    by_channel = {
        "lexical": searched.lexical(),
        "dense": searched.dense(),
        "fused": [list(candidates.products.ids) for candidates in fused],
    }
    if ranker is not None:
        read = searched.judged.products if ranker.reread else ()
        passages = {product.id: passage(product) for product in read}
        ordered = asyncio.run(_order_all(ranker, searched.texts, fused, passages))
        names = ("ranked", "reranked") if ranker.reread else ("ranked",)
        by_channel |= {name: [orders.get(name, []) for orders in ordered] for name in names}
    return by_channel


async def _order_all(
    ranker: Ranker, texts: Sequence[str], found: Sequence[Candidates], passages: Mapping[str, str]
) -> list[dict[str, Ranking]]:
    return [
        await ranker.orders(text, candidates, passages) if candidates.products.ids else {}
        for text, candidates in zip(texts, found, strict=True)
    ]
