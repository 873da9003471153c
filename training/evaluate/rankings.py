"""What each stage of the search answers to each query, in process, by the code that serves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.intent.v1.intent_pb2 import UnderstandRequest
from aisle.ranking.v1.ranking_pb2 import RankRequest, Surface
from aisle.retrieval.v1.retrieval_pb2 import Candidates
from runtime.inference.manifest import Manifest
from services.intent.service import IntentServicer
from services.ranking.service import RankingService
from services.retrieval import fusion
from services.retrieval.index import CatalogIndex
from services.retrieval.text import passage
from services.retrieval.words.query_words import QueryWords
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.sets import EvaluationSet

DEPTH = 200  # candidates asked for and ranked; the gateway's number
Ranking = list[str]  # product ids, best first


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


def rankings(
    judged: EvaluationSet, manifest: Manifest, cache: EmbeddingCache, ranker: Ranker | None
) -> dict[str, list[Ranking]]:
    """By channel, the ranking of each of the set's queries: lexical, dense, fused and, with one, ranked."""
    passages = [manifest.passage_prefix + passage(product) for product in judged.products]
    products = cache.embed(f"{judged.name}: products", passages)
    index = CatalogIndex(manifest.dimension, words=QueryWords.shipped())
    index.upsert(judged.products, products)
    texts = [_as_searched(index, query.text) for query in judged.queries]
    queries = cache.embed(f"{judged.name}: queries", [manifest.query_prefix + text for text in texts])
    fused = [
        index.search(text, embedding, DEPTH).candidates
        for text, embedding in zip(texts, queries, strict=True)
    ]
    by_channel = {
        "lexical": [list(index.search(text, None, DEPTH).candidates.products.ids) for text in texts],
        "dense": _nearest(judged, products, queries),
        "fused": [list(candidates.products.ids) for candidates in fused],
    }
    if ranker is not None:
        by_channel["ranked"] = asyncio.run(_order_all(ranker, texts, fused))
    return by_channel


def _as_searched(index: CatalogIndex, query: str) -> str:
    """Return the query that the service searches for when `query` is typed."""
    correction = index.correct(query)
    return correction.query if correction and correction.confident else query


def _nearest(
    judged: EvaluationSet, products: NDArray[np.float32], queries: NDArray[np.float32]
) -> list[Ranking]:
    ids = [product.id for product in judged.products]
    return [[ids[row] for row in fusion.best(products @ query, DEPTH).tolist()] for query in queries]


async def _order_all(ranker: Ranker, texts: Sequence[str], found: Sequence[Candidates]) -> list[Ranking]:
    return [
        await ranker.order(text, candidates) if candidates.products.ids else []
        for text, candidates in zip(texts, found, strict=True)
    ]
