"""The intent model as it is served."""

from collections.abc import Sequence

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.folding import fold
from runtime.inference.encoder import EMBEDDING, TextModel, TextResult
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.intent.labels import Labels, read_labels

MODEL = "intent"
_BULK = 16  # texts of a request that wait at once: a request of 256 leaves the queue open to others


class IntentModel:
    """A published multi-task encoder: a query in, logits of intents, categories and tags of tokens out."""

    def __init__(self, text_model: TextModel, labels: Labels) -> None:
        self._model = text_model
        self.labels = labels

    @classmethod
    def open(cls, store: ModelStore, settings: InferenceSettings) -> "IntentModel":
        """Load the current version; raises StartupError when it is missing or damaged."""
        model = TextModel.open(store, MODEL, settings)
        return cls(model, read_labels(model.stored))

    @property
    def version(self) -> ModelVersion:
        """The model's name and version."""
        return self._model.version

    async def read(self, query: str, *, embed: bool = False) -> TextResult:
        """Return the logits of a query, read as `fold` spells it, and its tokens' spans in `query`.

        Asked to `embed`, a version that was composed with a retriever gives its embedding too. Raises as
        `TextModel.run`.
        """
        return (await self._model.run([fold(query)], embed=embed))[0]

    def embedding(self, query: str, result: TextResult) -> QueryEmbedding | None:
        """Return what `result` says of the meaning of `query`; None where it says nothing, and where the
        query is longer than the model reads: the retriever reads more of it."""
        manifest = self._model.manifest
        if EMBEDDING not in result.outputs or len(result.offsets) >= manifest.max_tokens:
            return None
        values = result.outputs[EMBEDDING].tolist()
        return QueryEmbedding(text=query, embedding_space=manifest.embedding_space, values=values)

    async def read_bulk(self, texts: Sequence[str]) -> list[TextResult]:
        """Return the same of many texts, a batch after another; queries go before them. Raises as `read`."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # like lengths share batches
        results: dict[int, TextResult] = {}
        for start in range(0, len(order), _BULK):
            rows = order[start : start + _BULK]
            read = await self._model.run([fold(texts[row]) for row in rows], bulk=True)
            results |= zip(rows, read, strict=True)
        return [results[row] for row in range(len(texts))]

    def warm_up(self) -> None:
        """Run texts of several lengths, so that the first request meets no first-time cost."""
        self._model.warm_up()

    async def close(self) -> None:
        """Finish what waits and release the model."""
        await self._model.close()
