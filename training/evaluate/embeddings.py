"""Embeddings by the published model, kept on disk so that a second evaluation starts at once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from runtime.inference.encoder import TextModel

_CHUNK = 128


class EmbeddingCache:
    """Embeddings of lists of texts, by the graph that made them and the texts themselves."""

    def __init__(self, folder: Path, model: TextModel) -> None:
        self._folder, self._model = folder, model
        graph = model.manifest.graphs[model.session.precision]
        self._graph = model.manifest.files[graph].sha256

    def embed(self, name: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [texts, dimension], L2-normalised rows; `name` is what the progress bar says."""
        path = self._folder / f"{self._key(texts)}.npy"
        if path.exists():
            stored: NDArray[np.float32] = np.load(path)
            return stored
        embeddings = self._run(name, texts)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, embeddings)
        partial.replace(path)
        return embeddings

    def _run(self, name: str, texts: Sequence[str]) -> NDArray[np.float32]:
        # Like lengths share batches: padding is what costs.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        embeddings = np.empty((len(texts), self._model.manifest.dimension), dtype=np.float32)
        with tqdm(total=len(texts), desc=f"encoding {name}", unit="text") as bar:
            for start in range(0, len(order), _CHUNK):
                rows = order[start : start + _CHUNK]
                results = self._model.run_sync([texts[row] for row in rows])
                embeddings[rows] = np.stack([result.outputs["embedding"] for result in results])
                bar.update(len(rows))
        return embeddings

    def _key(self, texts: Sequence[str]) -> str:
        whole = hashlib.sha256(self._graph.encode())
        for text in texts:
            whole.update(f"{len(text)} {text}".encode())
        return whole.hexdigest()[:32]
