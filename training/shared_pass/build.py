"""From the published encoders of intent and retrieval to a version of intent that serves both."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.transformers.onnx_model import OnnxModel
from tokenizers import Tokenizer

from runtime.folding import fold
from runtime.inference.encoder import EMBED, EMBEDDING
from runtime.inference.encoder import TOKENIZER_FILE as TOKENIZER
from runtime.inference.manifest import Manifest
from runtime.inference.store import ModelStore, StoredModel
from runtime.settings import StartupError
from services.intent.labels import FILENAME as LABELS
from services.intent.labels import read_labels
from services.intent.model import MODEL as INTENT
from services.retrieval.text import passage, question
from training.demo_shop import DemoShop, Query
from training.export import FINER, SOURCES, Exported, Parity
from training.export.optimisation import halve
from training.export.parity import Corpus, open_session
from training.export.precisions import ALL
from training.export.quantisation import Feed, quantise
from training.intent.build import GUARDED, tested
from training.intent.network import OUTPUTS
from training.intent.reading import feeds
from training.publish import publish, verify
from training.recipe import digest, fingerprint
from training.retriever.build import NAME as RETRIEVER
from training.retriever.embedder import tokenise
from training.shared_pass.joining import Joined, join
from training.shared_pass.published import COMPOSED_OF, BothAlone, fp32, tokenizer_of, trained_intent
from training.shared_pass.switch import only_if

PARITY_QUERIES, PARITY_REVIEWS, CALIBRATION_QUERIES = 200, 40, 64
CORPUS_PRODUCTS, CORPUS_TOKENS, CORPUS_BATCH = 200, 48, 32
_COMPOSITION = "composition"  # in the recipe: the fingerprint of all that decides the composed graphs
_HERE = Path(__file__).parent


class NothingShared(StartupError):
    """The two encoders have no layer in common, so that one pass would save nothing."""


@dataclass(frozen=True)
class Composed:
    """The version that serves both, and how its graph was joined.

    `joined` is None where the store held that version already, which is then the current one.
    """

    manifest: Manifest
    joined: Joined | None


@dataclass(frozen=True)
class _Pair:
    """The two published versions, and the shop whose texts they are compared on."""

    intent: StoredModel
    retriever: StoredModel
    shop: DemoShop

    @property
    def composition(self) -> str:
        """What decides the composed graphs."""
        versions = {each.manifest.name: each.manifest.version for each in (self.intent, self.retriever)}
        return fingerprint({**versions, "code": digest(*sorted(_HERE.glob("*.py")), *SOURCES)})

    @property
    def names(self) -> str:
        """How messages call them."""
        return " and ".join(
            f"{each.manifest.name} {each.manifest.version}" for each in (self.intent, self.retriever)
        )

    def queries(self, split: str) -> list[Query]:
        """The shop's queries of a split."""
        return [query for query in self.shop.queries if query.split == split]

    def texts(self, split: str) -> list[str]:
        """What is written in them."""
        return [query.text for query in self.queries(split)]


def compose(store: ModelStore, shop: DemoShop) -> Composed:
    """Publish the current versions of intent and retrieval as a version of intent that makes embeddings too.

    Its figures are those of the test split, and may not fall below those of the version it replaces. Raises
    NothingShared, PublishRefused, and StartupError where a version is missing or reads queries otherwise.
    """
    pair = _Pair(trained_intent(store), store.open(RETRIEVER), shop)
    for version in reversed(store.versions(INTENT)):
        stored = store.open(INTENT, version)
        if stored.manifest.recipe.get(_COMPOSITION) == pair.composition:
            verify(stored)
            store.activate(INTENT, version)
            return Composed(stored.manifest, None)
    _require_one_reading(pair)
    joined = _joined(pair)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".composing-") as scratch:
        stored = _publish(store, pair, joined, Path(scratch))
    return Composed(stored.manifest, joined)


def _require_one_reading(pair: _Pair) -> None:
    """Raise StartupError unless both cut queries into the same tokens, prefix and spelling included."""
    ours, theirs = tokenizer_of(pair.intent), tokenizer_of(pair.retriever)
    prefix, most = pair.retriever.manifest.query_prefix, pair.intent.manifest.max_tokens
    for query in pair.texts("validation"):
        read = ours.encode(fold(query)).ids
        if len(read) < most and read != theirs.encode(prefix + question(query)).ids:
            raise StartupError(
                f"{pair.names} read {query!r} as other tokens, and one pass reads once; train both from "
                "one base with `make models`"
            )


def _joined(pair: _Pair) -> Joined:
    joined = join(onnx.load(str(fp32(pair.intent))), onnx.load(str(fp32(pair.retriever))), RETRIEVER)
    if not joined.common:
        raise NothingShared(
            f"{pair.names} have none of {joined.layers} encoder layers in common, so one pass would save "
            "nothing; train both by a recipe and method that leave lower layers alone, as the default ones do"
        )
    return joined


def _publish(store: ModelStore, pair: _Pair, joined: Joined, folder: Path) -> StoredModel:
    before, retriever, tokenizer = pair.intent.manifest, pair.retriever.manifest, tokenizer_of(pair.intent)
    exported = _export(pair, tokenizer, joined, folder)
    for name in (LABELS, TOKENIZER):
        shutil.copyfile(pair.intent.file(name), folder / name)
    return publish(
        store,
        INTENT,
        folder,
        graphs=exported.graphs,
        parity=exported.parity,
        evaluation=tested(pair.shop, exported.graphs["int8"], tokenizer, read_labels(pair.intent)),
        guarded=GUARDED,
        base=before.base,
        recipe={**before.recipe, COMPOSED_OF: before.version, _COMPOSITION: pair.composition},
        fingerprint=before.fingerprint,
        training_data=list(dict.fromkeys([*before.training_data, *retriever.training_data])),
        dimension=retriever.dimension,
        embedding_space=retriever.embedding_space,
        max_tokens=before.max_tokens,
    )


def _export(pair: _Pair, tokenizer: Tokenizer, joined: Joined, folder: Path) -> Exported:
    """Write the graphs of all precisions, and compare them with the two published ones in fp32."""
    graphs = {precision: folder / f"model.{precision}.onnx" for precision in ALL}
    calibration = feeds(tokenizer, pair.texts("train")[:CALIBRATION_QUERIES], batch=1)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        whole, small = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        onnx.save(joined.model, str(whole))

        # As the intent model needs it: with fewer of them its figures fall by more than the noise.
        quantise(whole, small, calibration, finer=FINER[2])
        _save(onnx.load(str(small)), graphs["int8"])
        _save(joined.model, graphs["fp32"])
        half = OnnxModel(joined.model)
        halve(half)
        _save(half.model, graphs["fp16"])
    return Exported(graphs, _truth(pair, tokenizer).measure(graphs))


def _save(model: ModelProto, path: Path) -> None:
    onnx.save(only_if(model, EMBEDDING, EMBED), str(path))


def _truth(pair: _Pair, tokenizer: Tokenizer) -> Parity:
    queries = [*pair.queries("validation"), *pair.queries("train")][:PARITY_QUERIES]
    asked = _asked(tokenizer, [query.text for query in queries], embed=True)
    reviews = [review.text for review in pair.shop.reviews if review.split == "validation"][:PARITY_REVIEWS]
    return Parity(
        BothAlone(fp32(pair.intent), fp32(pair.retriever)),
        (*OUTPUTS, EMBEDDING),
        asked,
        corpus=_corpus(pair),
        own_probes={
            "category": [feed for query, feed in zip(queries, asked, strict=True) if query.category],
            "sentiment": _asked(tokenizer, reviews, embed=False),
        },
    )


def _corpus(pair: _Pair) -> Corpus:
    products, prefix = pair.shop.products, pair.retriever.manifest.passage_prefix
    tokenizer, session = tokenizer_of(pair.retriever), open_session(fp32(pair.retriever))
    texts = [prefix + passage(each) for each in products[:: max(1, len(products) // CORPUS_PRODUCTS)]]
    rows = []
    for start in range(0, len(texts), CORPUS_BATCH):
        tokens = tokenise(tokenizer, texts[start : start + CORPUS_BATCH], CORPUS_TOKENS)
        rows += session.run([EMBEDDING], {name: ids.numpy() for name, ids in tokens.items()})
    corpus: NDArray[np.float32] = np.concatenate(rows)
    return corpus


def _asked(tokenizer: Tokenizer, texts: Sequence[str], *, embed: bool) -> list[Feed]:
    wish: dict[str, NDArray[Any]] = {EMBED: np.array(embed)}
    return [{**feed, **wish} for feed in feeds(tokenizer, texts, batch=1)]
