"""From the demo shop and a published retriever to a published cross-encoder."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.inference.encoder import TextModel
from runtime.inference.manifest import Manifest
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.ranking import pairs
from services.ranking.pairs import CALIBRATION_FILE, CROSS_ENCODER, OUTPUT, Calibration, pair_text
from training.base_models import BaseModel
from training.cross_encoder import calibrate
from training.cross_encoder.fit import figures, fit, logits
from training.cross_encoder.model import CrossEncoder
from training.cross_encoder.questions import (
    Embed,
    Floats,
    Question,
    Shelf,
    ask,
    demo_searches,
    found,
    own_words,
)
from training.cross_encoder.recipe import Recipe
from training.demo_shop import DemoShop
from training.evaluate.embeddings import EmbeddingCache
from training.export import SOURCES, Exported, export_within_parity
from training.publish import publish, up_to_date
from training.recipe import digest, fingerprint
from training.retriever.embedder import tokenise
from training.retriever.sources import Source

RETRIEVER = "retriever"
GUARDED = ("ndcg@10",)
PARITY_LISTS, CALIBRATION_PAIRS = 40, 24
TEST_QUESTIONS, TEST_CANDIDATES = 100, 20


@dataclass(frozen=True)
class Order:
    """What to build; `cache` is the folder of embeddings that candidates are found by."""

    base: BaseModel
    shop: DemoShop
    extra: Sequence[Source]
    recipe: Recipe
    seed: int
    cache: Path

    def settings(self, retriever: str) -> dict[str, object]:
        """All that decides the weights, as JSON values; `retriever` is the version that finds candidates."""
        return {
            **self.recipe.settings(self.seed),
            "base": self.base.name,
            "shop": digest(self.shop.root / "fingerprint.json"),
            "extra": [[source.name, len(source.examples)] for source in self.extra],
            "retriever": retriever,
            "code": digest(*sorted(Path(__file__).parent.glob("*.py")), Path(pairs.__file__), *SOURCES),
        }


def build(order: Order, store: ModelStore, *, force: str = "", runs: Path = Path("runs")) -> Manifest:
    """Train, test once, export and publish, unless the current version came of the same order.

    `force` is a reason: it trains again, and publishes although figures fell. Raises PublishRefused;
    StartupError when no retriever was published before.
    """
    retriever = TextModel.open(store, RETRIEVER, InferenceSettings(models=store.root))
    settings = order.settings(retriever.manifest.version)
    if not force and (current := up_to_date(store, CROSS_ENCODER, fingerprint(settings))):
        return current.manifest
    embed, recipe = _embedding(retriever, order.cache), order.recipe
    random = np.random.default_rng(order.seed)
    shelf = demo_searches(order.shop, "validation")
    questions = _questions(order, embed, random)
    rows = _drawn(shelf, recipe.validation_questions, random)
    validation = found(shelf, rows, embed, recipe.validation_candidates)
    model, _ = fit(
        order.base,
        questions,
        validation,
        recipe,
        seed=order.seed,
        identity=settings,
        runs=runs,
    )
    calibration = calibrate.calibrated(logits(model, order.base, validation, recipe.tokens), validation)
    return _publish(order, model, embed, store, settings, calibration=calibration, force=force)


def _questions(order: Order, embed: Embed, random: np.random.Generator) -> list[Question]:
    recipe = order.recipe
    total = recipe.epochs * recipe.steps_per_epoch * recipe.questions
    shelves = own_words(order.shop, order.extra)
    shares = [(demo_searches(order.shop, "train"), 1 - recipe.catalogue_share)]
    shares += [(shelf, recipe.catalogue_share / len(shelves)) for shelf in shelves]
    return [
        question
        for shelf, share in shares
        for question in ask(
            shelf, _drawn(shelf, round(total * share), random), embed, recipe.candidates, random
        )
    ]


def _drawn(shelf: Shelf, count: int, random: np.random.Generator) -> list[int]:
    return [int(row) for row in random.permutation(len(shelf.queries))[:count]]


def _embedding(retriever: TextModel, folder: Path) -> Embed:
    cache, manifest = EmbeddingCache(folder, retriever), retriever.manifest

    def embed(queries: Sequence[str], passages: Sequence[str]) -> tuple[Floats, Floats]:
        return (
            cache.embed("questions", [manifest.query_prefix + text for text in queries]),
            cache.embed("their candidates", [manifest.passage_prefix + text for text in passages]),
        )

    return embed


def _publish(
    order: Order,
    model: CrossEncoder,
    embed: Embed,
    store: ModelStore,
    settings: Mapping[str, object],
    *,
    calibration: Calibration,
    force: str,
) -> Manifest:
    base, tokens, shelf = order.base, order.recipe.tokens, demo_searches(order.shop, "test")
    rows = _drawn(shelf, TEST_QUESTIONS, np.random.default_rng(order.seed))
    test = found(shelf, rows, embed, TEST_CANDIDATES)
    error = calibrate.error(calibration, logits(model, base, test, tokens), test)
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".exporting-") as scratch:
        folder = Path(scratch)
        exported = _export(base, model, test, tokens, folder)
        base.tokenizer.save(str(folder / "tokenizer.json"))
        (folder / CALIBRATION_FILE).write_text(calibration.model_dump_json(indent=1), encoding="utf-8")
        stored = publish(
            store,
            CROSS_ENCODER,
            folder,
            graphs=exported.graphs,
            parity=exported.parity,
            evaluation={**figures(model, base, test, tokens), "calibration_error": error},
            guarded=GUARDED,
            force=force,
            base=base.name,
            recipe={key: str(value) for key, value in settings.items()},
            fingerprint=fingerprint(settings),
            training_data=[
                "demo shop (generated)",
                *(f"{each.name} ({each.licence})" for each in order.extra),
            ],
            query_prefix=base.query_prefix,
            passage_prefix=base.passage_prefix,
            max_tokens=tokens,
        )
    return stored.manifest


def _export(
    base: BaseModel, model: CrossEncoder, test: Sequence[Question], tokens: int, folder: Path
) -> Exported:
    lists = [_feed(base, question, tokens) for question in test[:PARITY_LISTS]]
    single = [
        {name: values[row : row + 1] for name, values in feed.items()} for feed in lists for row in range(2)
    ]
    return export_within_parity(
        model,
        tokenise(
            base.tokenizer,
            [pair_text(base, test[0].query, each) for each in test[0].passages[:2]],
            tokens,
        ),
        [OUTPUT],
        folder,
        probes=lists,
        calibration=single[:CALIBRATION_PAIRS],
        without_int8=True,  # a logit bears less rounding than an embedding does
    )


def _feed(base: BaseModel, question: Question, tokens: int) -> dict[str, NDArray[Any]]:
    texts = [pair_text(base, question.query, each) for each in question.passages]
    return {name: ids.numpy() for name, ids in tokenise(base.tokenizer, texts, tokens).items()}
