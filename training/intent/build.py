"""From the demo shop to a published intent model: data, fine-tuning, export, parity, test, publishing."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer

from runtime.inference.manifest import Manifest
from runtime.inference.store import ModelStore
from services.intent.decoding import Decoder
from services.intent.labels import FILENAME, Labels
from services.intent.model import MODEL
from training.base_models import BaseModel
from training.demo_shop import INTENTS, SLOT_KEYS, DemoShop, Query
from training.demo_shop.lexicon import WORDS
from training.export import FINER, SOURCES, Exported, export_within_parity
from training.finetuning import Method
from training.intent.calibrate import calibrated
from training.intent.clicks import weakly_labelled
from training.intent.dataset import canonical_values, confusions, examples
from training.intent.example import Example
from training.intent.figures import figures, sentiment_figures
from training.intent.fit import MAX_TOKENS, Validation, evaluate, fit
from training.intent.network import OUTPUTS, IntentNetwork
from training.intent.public import PublicSet
from training.intent.reading import by_graph, by_network, feeds, sentiments, understand
from training.intent.recipe import Recipe
from training.intent.reviews import aspect_words, balanced, clause_examples, review_examples
from training.intent.spelling import known_forms, vocabulary_of
from training.intent.tagging import tag_names
from training.loop import Outcome
from training.publish import publish, up_to_date
from training.recipe import digest, fingerprint

# Figures that the next version may not lose.
GUARDED = ("intent_macro_f1", "category_accuracy", "slot_f1", "sentiment_macro_f1")
REVIEWS_OF_A_KIND = 300  # of each sentiment in training
VALIDATION_REVIEWS = 150  # that help to choose the epoch
PARITY_QUERIES = 500
PARITY_REVIEWS = 150
CALIBRATION_QUERIES = 64
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Order:
    """What to build; `public` are real sets by the owner's choice.

    Every text is read behind the base's query prefix, as the retriever reads queries: the two can then share
    the layers that neither trains (`training.shared_pass`).
    """

    base: BaseModel
    shop: DemoShop
    public: Sequence[PublicSet]
    recipe: Recipe
    method: Method
    seed: int

    def settings(self) -> dict[str, object]:
        """All that decides the model, as JSON values."""
        return {
            **self.recipe.settings(self.method, self.seed),
            "base": self.base.name,
            "prefix": self.base.query_prefix,
            "shop": digest(self.shop.root / "fingerprint.json"),
            "words": digest(*sorted(WORDS.glob("*.yaml")), *sorted(_HERE.glob("words/*.yaml"))),
            "public": [[each.name, len(each.examples)] for each in self.public],
            "code": digest(*sorted(_HERE.glob("*.py")), _HERE.parent / "mistakes.py", *SOURCES),
        }

    def queries(self, split: str) -> list[Query]:
        """The shop's queries of a split."""
        return [query for query in self.shop.queries if query.split == split]


@dataclass(frozen=True)
class Built:
    """What came of it; `outcome` is None when the current version was already the one wanted."""

    manifest: Manifest
    outcome: Outcome | None


def build(order: Order, store: ModelStore, *, force: str = "", runs: Path = Path("runs")) -> Built:
    """Train, export, test the exported model once and publish, unless the current version is of this order.

    `force` is a reason: it trains again, and publishes although figures fell. Raises PublishRefused.
    """
    order = replace(order, base=order.base.reading_queries())
    settings = order.settings()
    if not force and (current := up_to_date(store, MODEL, fingerprint(settings))):
        return Built(current.manifest, None)
    training = _training_examples(order)
    labels = labels_of(order.shop, training)
    reviews = review_examples(order.shop, "validation")
    validation = Validation(order.queries("validation"), reviews[:VALIDATION_REVIEWS])
    network, outcome = fit(
        order.base,
        labels,
        training,
        order.recipe,
        validate=lambda network: evaluate(network, order.base, labels, validation),
        method=order.method,
        seed=order.seed,
        identity=settings,
        runs=runs,
    )
    known = [*examples(order.shop, "validation"), *reviews, *_calibrating(order)]
    labels = calibrated(labels, by_network(network), order.base.tokenizer, known)
    return Built(_publish(order, network, labels, store, force), outcome)


def _training_examples(order: Order) -> list[Example]:
    """The shop's queries, and of each public set at most half as many, so that searches stay the rule."""
    own = weakly_labelled(order.shop)
    drawn = [_drawn(each.examples, len(own) // 2, order.seed) for each in order.public]
    reviews = balanced(review_examples(order.shop, "train"), REVIEWS_OF_A_KIND, order.seed)
    clauses = clause_examples(order.shop, "train")
    return [*own, *reviews, *clauses, *(example for sample in drawn for example in sample)]


def _calibrating(order: Order) -> list[Example]:
    """Of each public set as many texts as the shop has validation queries, at most."""
    most = len(order.queries("validation"))
    return [each for public in order.public for each in _drawn(public.validation, most, order.seed)]


def _drawn(texts: Sequence[Example], most: int, seed: int) -> list[Example]:
    return Random(seed).sample(list(texts), min(len(texts), most))


def labels_of(shop: DemoShop, training: Sequence[Example]) -> Labels:
    """Return the labels that a model of this shop tells apart, with the words of its training texts."""
    return Labels(
        intent=list(INTENTS),
        category=list(shop.categories),
        slots=tag_names(SLOT_KEYS),
        lexicon=canonical_values(),
        confusions=confusions(),
        vocabulary=vocabulary_of([each.text for each in training], known_forms()),
        aspects=aspect_words(),
    )


def _publish(
    order: Order,
    network: IntentNetwork,
    labels: Labels,
    store: ModelStore,
    force: str,
) -> Manifest:
    base, settings = order.base, order.settings()
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".exporting-") as scratch:
        folder = Path(scratch)
        exported = _export(order, network, folder)
        (folder / FILENAME).write_text(labels.model_dump_json(indent=1), encoding="utf-8")
        base.tokenizer.save(str(folder / "tokenizer.json"))
        stored = publish(
            store,
            MODEL,
            folder,
            graphs=exported.graphs,
            parity=exported.parity,
            evaluation=tested(order.shop, exported.graphs["int8"], base.tokenizer, labels),
            guarded=GUARDED,
            force=force,
            base=base.name,
            recipe={key: str(value) for key, value in settings.items()},
            fingerprint=fingerprint(settings),
            training_data=[
                "demo shop (generated)",
                *(f"{each.name} ({each.licence})" for each in order.public),
            ],
            max_tokens=MAX_TOKENS,
        )
    return stored.manifest


def _export(order: Order, network: IntentNetwork, folder: Path) -> Exported:
    """Parity is measured on validation queries, then training ones: the test split is not looked at."""
    tokenizer = order.base.tokenizer
    random = np.random.default_rng(order.seed)
    texts = [query.text for query in order.queries("train")]
    typical = [texts[row] for row in random.permutation(len(texts))[:CALIBRATION_QUERIES]]
    probes = [*order.queries("validation"), *order.queries("train")][:PARITY_QUERIES]
    reviews = [review.text for review in order.shop.reviews if review.split == "validation"]
    asked = feeds(tokenizer, [probe.text for probe in probes], batch=1)
    # Of an order that is to be cancelled the category says nothing: numbers near 0, in any order.
    of_goods = [feed for probe, feed in zip(probes, asked, strict=True) if probe.category]
    typed = feeds(tokenizer, [probe.text for probe in probes[:2]])
    sample = {name: torch.from_numpy(ids) for name, ids in typed[0].items()}
    return export_within_parity(
        network,
        sample,
        OUTPUTS,
        folder,
        probes=asked,
        own_probes={
            "category": of_goods,
            "sentiment": feeds(tokenizer, reviews[:PARITY_REVIEWS], batch=1),
        },
        axes={"slots": {0: "batch", 1: "tokens"}},
        calibration=feeds(tokenizer, typical, batch=1),
        finer_products=FINER[2:],  # with four of them the smallest cosine was .909, and .98 is required
    )


def tested(shop: DemoShop, graph: Path, tokenizer: Tokenizer, labels: Labels) -> dict[str, float]:
    """Return the figures of a graph, the one that CPUs serve, on the test split."""
    queries = [query for query in shop.queries if query.split == "test"]
    reviews = review_examples(shop, "test")
    run, decoder = by_graph(graph), Decoder(labels)
    understood = understand(run, tokenizer, decoder, [query.text for query in queries])
    told = sentiments(run, tokenizer, decoder, [review.text for review in reviews])
    return figures(understood, queries) | sentiment_figures(told, reviews)
