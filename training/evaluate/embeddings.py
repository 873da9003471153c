"""Embeddings kept on disk, so that a second evaluation starts at once."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from runtime.inference.encoder import TextModel
from training.base_models import BaseModel
from training.retriever.embedder import Embedder, embed

_CHUNK = 128
_MAX_TOKENS = 256  # what the published retriever reads of a text
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class StoredEmbeddings:
    """Embeddings of lists of texts, by who made them and the texts themselves.

    encode: texts → float32 [texts, dimension], L2-normalised rows; `identity` changes whenever it does.
    """

    def __init__(self, folder: Path, identity: str, encode: Encode) -> None:
        self._folder, self._identity, self._encode = folder, identity, encode

    def embed(self, name: str, texts: Sequence[str], *, alone: bool = False) -> NDArray[np.float32]:
        """float32 [texts, dimension], L2-normalised rows; `name` is what the progress bar says.

        `alone` makes each by itself, as a search does: the scales of an int8 graph depend on the whole batch.
        """
        path = self._folder / f"{self._key(texts, alone)}.npy"
        if path.exists():
            stored: NDArray[np.float32] = np.load(path)
            return stored
        embeddings = self._run(name, texts, 1 if alone else _CHUNK)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, embeddings)
        partial.replace(path)
        return embeddings

    def _run(self, name: str, texts: Sequence[str], chunk: int) -> NDArray[np.float32]:
        # Like lengths share batches: padding is what costs.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts: list[NDArray[np.float32]] = []
        with tqdm(total=len(texts), desc=f"encoding {name}", unit="text") as bar:
            for start in range(0, len(order), chunk):
                rows = order[start : start + chunk]
                parts.append(self._encode([texts[row] for row in rows]))
                bar.update(len(rows))
        embeddings = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        embeddings[order] = np.concatenate(parts)
        return embeddings

    def _key(self, texts: Sequence[str], alone: bool) -> str:
        whole = hashlib.sha256(f"{self._identity}{' alone' if alone else ''}".encode())
        for text in texts:
            whole.update(f"{len(text)} {text}".encode())
        return whole.hexdigest()[:32]


class EmbeddingCache(StoredEmbeddings):
    """Those of a published model, by the graph that makes them."""

    def __init__(self, folder: Path, model: TextModel) -> None:
        graph = model.manifest.graphs[model.session.precision]
        super().__init__(folder, model.manifest.files[graph].sha256, partial(_by_graph, model))


def untrained(folder: Path, base: BaseModel) -> StoredEmbeddings:
    """Those of a base model as it is, computed by torch."""
    embedder = Embedder(base.encoder).eval()
    return StoredEmbeddings(
        folder, f"untrained {base.name}", lambda texts: embed(embedder, base.tokenizer, texts, _MAX_TOKENS)
    )


def _by_graph(model: TextModel, texts: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([result.outputs["embedding"] for result in model.run_sync(list(texts))])
