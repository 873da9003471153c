"""What the services before ranking say, with embeddings kept on disk so that a second run starts at once."""

import asyncio
from collections.abc import Mapping, Sequence

from aisle.intent.v1.intent_pb2 import Understanding, UnderstandRequest
from runtime.inference.encoder import TextModel
from services.intent.model import IntentModel
from services.intent.service import IntentServicer
from services.retrieval.index import CatalogIndex
from services.retrieval.text import passage, question
from training.demo_shop import DemoShop, Query
from training.evaluate.embeddings import EmbeddingCache
from training.ranker.reviews import read_reviews
from training.ranker.upstream import Upstream


def read_upstream(
    shop: DemoShop,
    queries: Sequence[Query],
    retriever: TextModel,
    intent: IntentModel,
    cache: EmbeddingCache,
) -> Upstream:
    """Index the shop and read the queries and reviews as the served models do."""
    manifest = retriever.manifest
    index = CatalogIndex(manifest.dimension)
    texts = [manifest.passage_prefix + passage(product) for product in shop.products]
    index.upsert(shop.products, cache.embed("demo_shop", texts))
    embeddings = cache.embed("its queries", [manifest.query_prefix + question(each.text) for each in queries])
    return Upstream(
        index=index,
        embeddings={query.id: row for query, row in zip(queries, embeddings, strict=True)},
        understandings=asyncio.run(_understandings(IntentServicer(intent), queries)),
        reviews=read_reviews(shop, intent),
    )


async def _understandings(intent: IntentServicer, queries: Sequence[Query]) -> Mapping[str, Understanding]:
    return {
        query.id: (await intent.Understand(UnderstandRequest(query=query.text), None)).understanding
        for query in queries
    }
