"""What every peer does for a query: tokenise, run the graph, take the intents' probabilities."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

# Environment variables: the folder of the model's version, and where to listen.
MODEL, PORT = "PEER_MODEL", "PEER_PORT"
MAX_BATCH = 32


class Encoder:
    """A published intent model's int8 graph on one thread, as our own service runs it."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = str(folder / manifest["graphs"]["int8"])
        # Servers are compared: all have the quicker graph (runtime/inference/providers.py).
        self._session = ort.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_length=manifest["max_tokens"])
        self._tokenizer.enable_padding()

    @classmethod
    def of_environment(cls) -> "Encoder":
        """The model that PEER_MODEL names."""
        return cls(Path(os.environ[MODEL]))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probabilities of the intents, float32 [texts, intents]; every output is computed."""
        encodings = self._tokenizer.encode_batch(list(texts))
        feeds: dict[str, NDArray[Any]] = {
            "input_ids": np.array([each.ids for each in encodings], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encodings], np.int64),
        }
        found = dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        scores = np.exp(found["intent"] - found["intent"].max(axis=-1, keepdims=True))
        probabilities: NDArray[np.float32] = scores / scores.sum(axis=-1, keepdims=True)
        return probabilities
