"""What each stage of the search answers to each query, in process, by the code that serves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from services.intent.service import IntentServicer
from services.ranking.service import RankingService
from training.evaluate.searched import Ranking, Searched


@dataclass(frozen=True)
class Ranker:
    """The services that order what retrieval found."""

    intent: IntentServicer
    ranking: RankingService

    async def order(self, query: str, candidates: Candidates) -> Ranking:
        """The ids of `candidates` in the order an anonymous user would see."""
        understood = await self.intent.Understand(UnderstandRequest(query=query), None)
        request = RankRequest(
            candidates=candidates,
            understanding=understood.understanding,
            surface=Surface.SURFACE_SEARCH,
        )
        ranked = await self.ranking.Rank(request, None)
        return [candidates.products.ids[row] for row in ranked.order]


def rankings(searched: Searched, ranker: Ranker | None) -> dict[str, list[Ranking]]:
    """By channel, the ranking of each of the set's queries: lexical, dense, fused and, with one, ranked."""
    fused = searched.candidates()
    by_channel = {
        "lexical": searched.lexical(),
        "dense": searched.dense(),
        "fused": [list(candidates.products.ids) for candidates in fused],
    }
    if ranker is not None:
        by_channel["ranked"] = asyncio.run(_order_all(ranker, searched.texts, fused))
    return by_channel


async def _order_all(ranker: Ranker, texts: Sequence[str], found: Sequence[Candidates]) -> list[Ranking]:
    return [
        await ranker.order(text, candidates) if candidates.products.ids else []
        for text, candidates in zip(texts, found, strict=True)
    ]
