"""Reading queries with the network or with one of its graphs, as the service does."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.folding import fold
from runtime.inference.encoder import EMBED, TextResult
from services.intent.decoding import Decoder
from training.intent.network import OUTPUTS, IntentNetwork

Arrays = Mapping[str, NDArray[Any]]
Run = Callable[[Arrays], Arrays]  # input_ids and attention_mask, int64 [batch, tokens] → the outputs

_BATCH = 64


def by_network(network: IntentNetwork) -> Run:
    """Run the network as it is, without gradients."""

    def run(feed: Arrays) -> Arrays:
        with torch.no_grad():
            reading = network(**{name: torch.from_numpy(values) for name, values in feed.items()})
        return {name: values.numpy() for name, values in zip(OUTPUTS, reading, strict=True)}

    return run


def by_graph(path: Path) -> Run:
    """Run an exported graph on the CPU; of one that can embed texts too, no embedding is wanted."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    unwanted = {EMBED: np.array(False)} if EMBED in (each.name for each in session.get_inputs()) else {}
    return lambda feed: dict(zip(OUTPUTS, session.run(list(OUTPUTS), {**feed, **unwanted}), strict=True))


def feeds(tokenizer: Tokenizer, texts: Sequence[str], batch: int = _BATCH) -> list[dict[str, NDArray[Any]]]:
    """Return the inputs of the texts as the service spells them, in their order, `batch` at a time."""
    folded = [fold(text) for text in texts]
    return [_feed(tokenizer, folded[start : start + batch]) for start in range(0, len(folded), batch)]


def understand(run: Run, tokenizer: Tokenizer, decoder: Decoder, texts: Sequence[str]) -> list[Understanding]:
    """Return what the service would say of each query."""
    return decoder.understood(texts, lambda meant: read(run, tokenizer, meant))


def sentiments(
    run: Run, tokenizer: Tokenizer, decoder: Decoder, texts: Sequence[str]
) -> list[dict[str, float]]:
    """Return the probabilities that the service would give the sentiments of each review."""
    return [decoder.sentiment(each.outputs) for each in read(run, tokenizer, texts)]


def read(run: Run, tokenizer: Tokenizer, texts: Sequence[str]) -> list[TextResult]:
    """Return what the graph says of each text; like lengths share batches."""
    folded = [fold(text) for text in texts]
    encodings = tokenizer.encode_batch(folded)
    order = sorted(range(len(texts)), key=lambda row: len(encodings[row].ids))
    found: dict[int, TextResult] = {}
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        outputs = run(_feed(tokenizer, [folded[row] for row in rows]))
        for place, row in enumerate(rows):
            own = {name: values[place] for name, values in outputs.items()}
            own["slots"] = own["slots"][: len(encodings[row].ids)]
            found[row] = TextResult(own, list(encodings[row].offsets))
    return [found[row] for row in range(len(texts))]


def _feed(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    encodings = tokenizer.encode_batch(list(texts))
    width = max(len(encoding.ids) for encoding in encodings)
    ids = np.zeros((len(texts), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask}
