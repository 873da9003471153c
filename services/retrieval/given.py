"""An embedding that came with a query, from the pass that understood it."""

import numpy as np

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from runtime.observability.metrics import EMBEDDINGS_UNUSED, QUERY_EMBEDDINGS
from services.retrieval.encoder import Embeddings, Encoder


def known_embedding(given: QueryEmbedding, query: str, encoder: Encoder) -> Embeddings | None:
    """Return the embedding of `query`, float32 [dimension], given or remembered, else None.

    `given` is empty where none came. One of another text than is searched for, after spelling correction, or
    of another space than the served generation's is not used: searches stay right while models change.
    """
    if reason := _unfit(given, query, encoder):
        EMBEDDINGS_UNUSED.labels(reason).inc()
    elif given.values:
        QUERY_EMBEDDINGS.labels("given").inc()
        return np.array(given.values, np.float32)
    remembered = encoder.known(query)
    if remembered is not None:
        QUERY_EMBEDDINGS.labels("remembered").inc()
    return remembered


def _unfit(given: QueryEmbedding, query: str, encoder: Encoder) -> str:
    """Return why an embedding that came cannot be used, "" where it can or none came."""
    if not given.values:
        return ""
    if given.embedding_space != encoder.space:
        return "other_space"
    return "" if given.text == query else "other_text"
