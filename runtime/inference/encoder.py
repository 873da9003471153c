"""Models that read text: tokenizer, session and batcher as one."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.inference import padding
from runtime.inference.batcher import Batcher
from runtime.inference.session import InferenceSettings, OnnxSession
from runtime.inference.store import ModelStore
from runtime.observability.metrics import MODEL_SECONDS
from runtime.settings import StartupError

TOKENIZER_FILE = "tokenizer.json"
EMBEDDING = "embedding"  # the output that holds a text's embedding
# The input, bool [], of a graph that makes embeddings beside its other outputs, and only for who wants them.
EMBED = "embed"


@dataclass(frozen=True)
class TextResult:
    """What a model said of one text.

    `outputs` maps an output's name to its row: [width], or [tokens, width] for token-level outputs; an
    embedding that was not asked for is not among them.
    `offsets` are the character spans of the tokens in the text; special tokens have (0, 0).
    """

    outputs: dict[str, np.ndarray[Any, Any]]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True)
class _Asked:
    encoding: Encoding
    embed: bool


class TextModel:
    """A published model whose graph takes `input_ids` and `attention_mask`, int64 [batch, tokens].

    Where it takes `embed` too, texts are embedded only for those who ask for it.
    """

    def __init__(self, session: OnnxSession, tokenizer: Tokenizer, settings: InferenceSettings) -> None:
        self.session = session
        self.stored = session.model
        self.manifest = session.model.manifest
        self.version = ModelVersion(name=self.manifest.name, version=self.manifest.version)
        self._tokenizer = tokenizer
        self._batch = settings.max_batch
        self._by_wish = EMBED in (each.name for each in self.manifest.inputs)
        if self._by_wish and session.pads:
            raise StartupError(
                f"{self.manifest.name} {self.manifest.version} decides in its graph whether to embed; a "
                "CUDA graph cannot. Activate the version it was composed of, or leave --cuda-graph out"
            )
        self._batcher: Batcher[_Asked, TextResult] = Batcher(
            self.manifest.name, self._infer, max_batch=settings.max_batch, max_queue=settings.max_queue
        )

    @classmethod
    def open(
        cls, store: ModelStore, name: str, settings: InferenceSettings, version: str | None = None
    ) -> "TextModel":
        """Load a version of model `name`, the current one by default.

        Raises StartupError when it is missing or damaged.
        """
        stored = store.open(name, version)
        tokenizer = _read_tokenizer(str(stored.file(TOKENIZER_FILE)), stored.manifest.max_tokens)
        return cls(OnnxSession(stored, settings), tokenizer, settings)

    def warm_up(self) -> None:
        """Run texts of several lengths, so that the first request meets no first-time cost."""
        for words in (1, 8, 32):
            self._infer([_Asked(each, embed=True) for each in self._encode(["warm " * words])])
        if self.session.pads:
            self._capture()

    async def run(self, texts: Sequence[str], *, bulk: bool = False, embed: bool = False) -> list[TextResult]:
        """Return one result per text; texts of concurrent callers share batches.

        `bulk` work yields to interactive work. `embed` asks for what a graph makes by wish only. Raises as
        `Batcher.submit` does.
        """
        asked = [_Asked(each, embed) for each in self._encode(texts)]
        return list(await asyncio.gather(*(self._batcher.submit(each, bulk=bulk) for each in asked)))

    def run_sync(self, texts: Sequence[str]) -> list[TextResult]:
        """Return one result per text without an event loop; like lengths share batches."""
        encodings = self._encode(texts)
        order = sorted(range(len(texts)), key=lambda row: len(encodings[row].ids))
        results: dict[int, TextResult] = {}
        for start in range(0, len(order), self._batch):
            rows = order[start : start + self._batch]
            asked = [_Asked(encodings[row], embed=False) for row in rows]
            results |= zip(rows, self._infer(asked), strict=True)
        return [results[row] for row in range(len(texts))]

    async def quiet(self, most_seconds: float) -> None:
        """Wait while interactive work waits or runs, at most `most_seconds`."""
        await self._batcher.quiet(most_seconds)

    async def close(self) -> None:
        """Finish what waits and release the thread."""
        await self._batcher.close()
        self.session.close()

    def _capture(self) -> None:
        """Run every padded shape twice: bound, then captured."""
        for shape in padding.shapes(self._batch, self.manifest.max_tokens):
            feeds = {name: np.ones(shape, np.int64) for name in ("input_ids", "attention_mask")}
            self.session.run(feeds)
            self.session.run(feeds)

    def _collate(self, encodings: list[Encoding]) -> dict[str, np.ndarray[Any, Any]]:
        longest = max(len(encoding.ids) for encoding in encodings)
        if not self.session.pads:
            return _collate(encodings, longest)
        # The last text is repeated: of one without any token a model may make NaN, which is slow.
        more = padding.rows(len(encodings), self._batch) - len(encodings)
        width = padding.width(longest, self.manifest.max_tokens)
        return _collate([*encodings, *[encodings[-1]] * more], width)

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        start = time.perf_counter()
        encodings: list[Encoding] = self._tokenizer.encode_batch(list(texts))
        MODEL_SECONDS.labels(self.manifest.name, "tokenize").observe(time.perf_counter() - start)
        return encodings

    def _infer(self, asked: list[_Asked]) -> list[TextResult]:
        encodings, embed = [each.encoding for each in asked], any(each.embed for each in asked)
        start = time.perf_counter()
        feeds = self._collate(encodings)
        if self._by_wish:
            feeds[EMBED] = np.array(embed)
        outputs = self.session.run(feeds)
        if self._by_wish and not embed:
            del outputs[EMBEDDING]
        MODEL_SECONDS.labels(self.manifest.name, "infer").observe(time.perf_counter() - start)
        return [_row(outputs, row, encoding) for row, encoding in enumerate(encodings)]


def _collate(encodings: list[Encoding], width: int) -> dict[str, np.ndarray[Any, Any]]:
    ids = np.zeros((len(encodings), width), dtype=np.int64)
    mask = np.zeros((len(encodings), width), dtype=np.int64)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _row(outputs: dict[str, np.ndarray[Any, Any]], row: int, encoding: Encoding) -> TextResult:
    length = len(encoding.ids)
    rows = {
        name: values[row][:length] if values.ndim == 3 else values[row] for name, values in outputs.items()
    }
    return TextResult(rows, list(encoding.offsets))


def _read_tokenizer(path: str, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the Rust library raises plain Exception
        raise StartupError(
            f"{path} is no tokenizer this version can read ({error}); publish the model again"
        ) from error
    tokenizer.no_padding()
    if max_tokens:
        tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer
