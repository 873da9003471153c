"""Late interaction: how well each token of a query is met by some token of a title.

ColBERT's MaxSim (Khattab and Zaharia 2020, arXiv 2004.12832) over the states that a published retriever
averages into an embedding; it was not trained for it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tqdm import tqdm

from runtime.inference.encoder import TextModel

_BATCH = 32


class TokenVectors:
    """The states of a retriever's tokens, kept in memory for each title."""

    def __init__(self, model: TextModel) -> None:
        self._manifest = model.manifest
        graph = onnx.load(str(model.stored.file(self._manifest.graphs[model.session.precision])))
        # The encoder ends with a layer norm; what follows is pooling.
        self._states = [node for node in graph.graph.node if node.op_type == "LayerNormalization"][-1].output[
            0
        ]
        told = onnx.helper.make_tensor_value_info(
            self._states, onnx.TensorProto.FLOAT, ["batch", "tokens", None]
        )
        graph.graph.output.append(told)
        self._session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(model.stored.file("tokenizer.json")))
        self._tokenizer.no_padding()
        self._titles: dict[str, NDArray[np.float32]] = {}

    def read(self, titles: Sequence[str]) -> None:
        """Encode titles ahead: like lengths share batches."""
        new = sorted({*titles} - self._titles.keys(), key=len)
        for start in tqdm(range(0, len(new), _BATCH), desc="tokens of titles", unit="batch"):
            part = new[start : start + _BATCH]
            self._titles |= zip(part, self._encode(self._manifest.passage_prefix, part), strict=True)

    def similarities(self, query: str, titles: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean over the query's tokens of the best cosine with a title's: float32 [titles]."""
        (asked,) = self._encode(self._manifest.query_prefix, [query])
        self.read(titles)
        best = [(asked @ self._titles[title].T).max(axis=1, initial=-1.0).mean() for title in titles]
        return np.array(best, np.float32)

    def _encode(self, prefix: str, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the states of each text's own tokens, float32 [tokens, width], L2-normalised rows."""
        encoded = self._tokenizer.encode_batch([prefix + text for text in texts])
        width = max(len(each.ids) for each in encoded)
        ids: NDArray[Any] = np.zeros((len(encoded), width), np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(encoded):
            ids[row, : len(each.ids)] = each.ids
            mask[row, : len(each.ids)] = 1
        (states,) = self._session.run([self._states], {"input_ids": ids, "attention_mask": mask})
        own = [[end > len(prefix) for _, end in each.offsets] for each in encoded]
        return [_normalised(row[: len(kept)][kept]) for row, kept in zip(states, own, strict=True)]


def _normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
