"""The bi-encoder of queries and products: what the retrieval service asks of its model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aisle.catalog.v1.product_pb2 import Product
from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.inference.encoder import EMBEDDING, TextModel, TextResult
from runtime.inference.manifest import Manifest
from runtime.memory import OF_QUERIES_SECONDS, Memory
from runtime.settings import StartupError
from services.retrieval.text import passage, question

Embeddings = NDArray[np.float32]

# A search that is asked again within a request, with a filter, is embedded once, whatever is remembered.
_LATEST_QUERIES = 16
_TOKENIZED_AT_ONCE = 16  # the event loop waits while texts are cut into tokens


def require_embeddings(manifest: Manifest) -> None:
    """Raise StartupError unless the manifest is one of a model that makes embeddings."""
    if not (manifest.embedding_space and manifest.dimension):
        raise StartupError(
            f"model {manifest.name!r} version {manifest.version} makes no embeddings (its manifest names no "
            "embedding space or dimension); publish a retriever"
        )


class Encoder:
    """Embeds queries and products into one space, each with the prefix the model was trained with."""

    def __init__(self, model: TextModel, remembered: int = 0) -> None:
        self._model = model
        self._queries: Memory[Embeddings] = Memory(max(remembered, _LATEST_QUERIES), OF_QUERIES_SECONDS)
        self.space: str = model.manifest.embedding_space
        self.dimension: int = model.manifest.dimension

    @property
    def version(self) -> ModelVersion:
        """The model's name and version."""
        return self._model.version

    def known(self, text: str) -> Embeddings | None:
        """Return the embedding of a query that is remembered, else None."""
        return self._queries.known(text)

    async def query(self, text: str) -> Embeddings:
        """Return the embedding of a query: float32 [dimension], L2-normalised. Raises as `TextModel.run`."""

        async def embed() -> Embeddings:
            results = await self._model.run([self._model.manifest.query_prefix + question(text)])
            embedding: Embeddings = _stack(results)[0]
            return embedding

        embedding, _ = await self._queries.get(text, embed)
        return embedding

    async def products(self, products: Sequence[Product]) -> Embeddings:
        """Return embeddings of products, float32 [n, dimension]; queries go before them."""
        texts = self._passages(products)
        results: list[TextResult] = []
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            results += await self._model.run(texts[start : start + _TOKENIZED_AT_ONCE], bulk=True)
        return _stack(results)

    def products_sync(self, products: Sequence[Product]) -> Embeddings:
        """Return embeddings of products, float32 [n, dimension], on the calling thread."""
        return _stack(self._model.run_sync(self._passages(products)))

    async def quiet(self, most_seconds: float) -> None:
        """Wait while queries wait or run, at most `most_seconds`."""
        await self._model.quiet(most_seconds)

    async def close(self) -> None:
        """Finish what waits and release the model's thread."""
        await self._model.close()

    def _passages(self, products: Sequence[Product]) -> list[str]:
        return [self._model.manifest.passage_prefix + passage(product) for product in products]


def _stack(results: Sequence[TextResult]) -> Embeddings:
    return np.stack([result.outputs[EMBEDDING] for result in results]).astype(np.float32, copy=False)
