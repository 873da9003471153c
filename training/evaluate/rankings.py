"""What each stage of the search answers to each query, in process, by the code that serves."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from aisle.ranking.v1.ranking_pb2 import Surface
from aisle.ranking.v1.ranking_pb2 import RankRequest
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from runtime.inference.encoder import TextModel
from services.intent.service import IntentServicer
from services.ranking.service import RankingService
from services.retrieval.index import CatalogIndex
from services.retrieval.text import passage
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.sets import EvaluationSet

DEPTH = 200  # candidates that are asked for and ranked, as the gateway does by default
Ranking = list[str]  # product ids, best first


@dataclass(frozen=True)
class Ranker:
    """The services after retrieval."""

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


def rankings(
    judged: EvaluationSet, model: TextModel, cache: EmbeddingCache, ranker: Ranker | None
) -> dict[str, list[Ranking]]:
    """By channel, the ranking of each of the set's queries: lexical, dense, fused and, with one, ranked."""
    queries = [query.text for query in judged.queries]
    index, embeddings = _index(judged, model, cache), _query_embeddings(judged, model, cache)
    found = [
        index.search(text, embedding, DEPTH).candidates
        for text, embedding in zip(queries, embeddings, strict=True)
    ]
    by_channel = {
        "lexical": [_ids(index.search(text, None, DEPTH).candidates) for text in queries],
        "dense": _nearest(judged, embeddings, ),
        "fused": [_ids(candidates) for candidates in found],
    }
    if ranker is not None:
        by_channel["ranked"] = asyncio.run(_ranked(ranker, queries, found))
    return by_channel
