"""What the services before ranking say of a shop and its queries, by the models published for serving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.intent.decoding import Decoder
from services.intent.labels import read_labels
from services.intent.model import MODEL as INTENT
from services.intent.model import IntentModel
from services.retrieval.index import CatalogIndex
from services.retrieval.text import passage, question
from services.retrieval.words.query_words import QueryWords
from training.demo_shop import DemoShop, Query
from training.ranker.reviews import ReviewTimeline, read_reviews

RETRIEVER = "retriever"


@dataclass(frozen=True)
class Upstream:
    """The index of a shop, by query id the embedding, float32 [dim], and the understanding; its reviews."""

    index: CatalogIndex
    embeddings: Mapping[str, NDArray[np.float32]]
    understandings: Mapping[str, Understanding]
    reviews: ReviewTimeline


def ask_upstream(shop: DemoShop, queries: Sequence[Query], settings: InferenceSettings) -> Upstream:
    """Index the shop, read queries and reviews; raises StartupError when a model was not published before."""
    store = ModelStore(settings.models)
    retriever = TextModel.open(store, RETRIEVER, settings)
    intent = TextModel.open(store, INTENT, settings)
    return Upstream(
        index=_index(shop, retriever),
        embeddings=_embeddings(queries, retriever),
        understandings=_understandings(queries, intent),
        reviews=read_reviews(shop, IntentModel(intent, read_labels(intent.stored))),
    )


def upstream_trainings(store: ModelStore) -> dict[str, str]:
    """Return what the current versions were trained by, a fingerprint by model name.

    A version of intent that was only composed with the retriever tells no other. Raises StartupError when a
    model was not published before.
    """
    manifests = [store.open(name).manifest for name in (RETRIEVER, INTENT)]
    return {each.name: each.fingerprint or each.version for each in manifests}


def _index(shop: DemoShop, retriever: TextModel) -> CatalogIndex:
    index = CatalogIndex(retriever.manifest.dimension, words=QueryWords.shipped())
    texts = [passage(product) for product in shop.products]
    index.upsert(shop.products, _embed(retriever, texts, retriever.manifest.passage_prefix))
    return index


def _embeddings(queries: Sequence[Query], retriever: TextModel) -> dict[str, NDArray[np.float32]]:
    rows = _embed(retriever, [question(query.text) for query in queries], retriever.manifest.query_prefix)
    return {query.id: row for query, row in zip(queries, rows, strict=True)}


def _embed(retriever: TextModel, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
    results = retriever.run_sync([prefix + text for text in texts])
    return np.stack([result.outputs["embedding"] for result in results])


def _understandings(queries: Sequence[Query], intent: TextModel) -> dict[str, Understanding]:
    decoder = Decoder(read_labels(intent.stored))
    understood = decoder.understood([query.text for query in queries], intent.run_sync)
    return {query.id: each for query, each in zip(queries, understood, strict=True)}
