"""The intent model as it is served."""

from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.inference.encoder import TextModel, TextResult
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.intent.labels import Labels, read_labels

MODEL = "intent"


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

    async def read(self, query: str) -> TextResult:
        """Return the logits of a query and its tokens' spans. Raises as `TextModel.run`."""
        return (await self._model.run([query]))[0]

    def warm_up(self) -> None:
        """Run texts of several lengths, so that the first request meets no first-time cost."""
        self._model.warm_up()

    async def close(self) -> None:
        """Finish what waits and release the model."""
        await self._model.close()
