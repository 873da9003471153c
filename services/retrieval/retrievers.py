"""The versions of the retriever in the model store, found by the space of their embeddings."""

from runtime.inference.encoder import TextModel
from runtime.inference.manifest import Manifest
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.serving.errors import NotFound
from services.retrieval.encoder import Encoder, require_embeddings

_MODEL = "retriever"


class Retrievers:
    """Opens encoders by version or by embedding space."""

    def __init__(self, store: ModelStore, settings: InferenceSettings, remembered: int = 0) -> None:
        self._store = store
        self._settings = settings
        self._remembered = remembered

    def current(self) -> Manifest:
        """Return the manifest of the version that the store names current.

        Raises StartupError when there is none, or it makes no embeddings.
        """
        return self._manifest(None)

    def current_version(self) -> str:
        """Return the version that the store names current, empty when there is none."""
        return self._store.current(_MODEL) or ""

    def version(self, version: str) -> Manifest:
        """Return the manifest of a version; raises NotFound naming those there are."""
        known = self._store.versions(_MODEL)
        if version not in known:
            raise NotFound(
                f"the store holds no version {version!r} of {_MODEL!r}; it holds {', '.join(known) or 'none'}"
            )
        return self._manifest(version)

    def of_space(self, space: str, dimension: int) -> Manifest | None:
        """Return the manifest whose embeddings are of a space: the current one's, else the newest's."""
        versions = [self.current_version(), *reversed(self._store.versions(_MODEL))]
        for version in filter(None, versions):
            manifest = self._store.open(_MODEL, version).manifest
            if (manifest.embedding_space, manifest.dimension) == (space, dimension):
                return manifest
        return None

    def open(self, version: str) -> Encoder:
        """Load a version and warm it up; raises StartupError when it is damaged."""
        model = TextModel.open(self._store, _MODEL, self._settings, version)
        model.warm_up()
        return Encoder(model, self._remembered)

    def _manifest(self, version: str | None) -> Manifest:
        manifest = self._store.open(_MODEL, version).manifest
        require_embeddings(manifest)
        return manifest
