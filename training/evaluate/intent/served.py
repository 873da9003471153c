"""The published intent model, asked as the service asks it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.folding import fold
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.intent.aspects import Aspects
from services.intent.decoding import Decoder
from services.intent.labels import OUT_OF_SCOPE, read_labels
from services.intent.model import MODEL
from services.intent.sentiment import likeliest
from training.demo_shop import DemoShop, Query, Review
from training.evaluate.constraints import constraint_figures, queries
from training.evaluate.figures import Figure
from training.evaluate.intent.measures import classified, exactly, share, span_f1, told_apart
from training.evaluate.intent.real import RealTexts, Spans
from training.evaluate.intent.sets import LabelledSet, at_most
from training.intent.figures import found_values, true_values

_Text = TypeVar("_Text", Query, Review)

SHOPPING = "shopping"
_SHOPPING_INTENTS = ("browse", "purchase")


class ServedModel:
    """One precision of the current version."""

    def __init__(self, store: ModelStore, settings: InferenceSettings) -> None:
        self.model = TextModel.open(store, MODEL, settings)
        labels = read_labels(self.model.stored)
        self._decoder, self.aspects = Decoder(labels), Aspects(labels.aspects)

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """Return what the service says of each text."""
        return self._decoder.understood(texts, self.model.run_sync)

    def meant(self, texts: Sequence[str]) -> list[str]:
        """Return each query as the model reads it, its misspelt words corrected."""
        return [self._decoder.spelled(text).text for text in texts]

    def sentiments(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the probability of each sentiment of each review."""
        results = self.model.run_sync([fold(text) for text in texts])
        return [self._decoder.sentiment(each.outputs) for each in results]


def demo_shop(model: ServedModel, shop: DemoShop) -> dict[str, Figure]:
    """Return the figures of the shop's test queries and reviews; `spelling/changed` is the share of queries,
    all of them right, that are taken for misspelt."""
    queries = [query for query in shop.queries if query.split == "test"]
    reviews = [review for review in shop.reviews if review.split == "test"]
    understood = model.understand([query.text for query in queries])
    about = [(each, query) for each, query in zip(understood, queries, strict=True) if query.category]
    figures = {
        **classified([intents(each) for each in understood], [query.intent for query in queries], "intent"),
        **classified([categories(each) for each, _ in about], [q.category for _, q in about], "category"),
        "slots/f1": span_f1([found_values(u) for u in understood], [true_values(q) for q in queries]),
        **classified(
            model.sentiments([review.text for review in reviews]),
            [review.sentiment for review in reviews],
            "sentiment",
        ),
    }
    figures["aspects/f1"] = _aspects(model, reviews)
    figures["spelling/changed"] = _changed(model, [query.text for query in queries])
    return {f"demo_shop/{name}": figure for name, figure in figures.items()}


def handwritten(model: ServedModel) -> dict[str, Figure]:
    """Return how many hand-written queries are read with exactly the conditions they name."""
    counts = constraint_figures(model.understand)
    asked = {f"handwritten_{language}": len(each) for language, each in queries().items()}
    total = sum(asked.values())
    return {name: exactly(count, asked.get(name.split("/")[0], total)) for name, count in counts.items()}


def fewer(shop: DemoShop, most: int) -> DemoShop:
    """Return the shop with at most `most` test queries and test reviews, drawn evenly."""
    return replace(shop, queries=_drawn(shop.queries, most), reviews=_drawn(shop.reviews, most))


def intents_of_real_texts(model: ServedModel, sources: Sequence[RealTexts]) -> dict[str, Figure]:
    """Return how real texts of each source are read, and over the sources of a language together.

    `<source>/intent/accuracy` and `<source>/spelling/changed`, the share taken for misspelt;
    `real_<language>/intent/*`, where browsing and buying count as one: search queries do not tell them apart;
    `real_<language>/out_of_scope/auroc` of texts out of scope against the others.
    """
    said = {each.name: [_merged(u) for u in model.understand(each.texts)] for each in sources}
    figures = {
        f"{each.name}/intent/accuracy": share([likeliest(told) == each.intent for told in said[each.name]])
        for each in sources
    }
    figures |= {f"{each.name}/spelling/changed": _changed(model, each.texts) for each in sources}
    for language in sorted({each.language for each in sources}):
        own = [each for each in sources if each.language == language]
        told = [one for each in own for one in said[each.name]]
        truth = [each.intent for each in own for _ in each.texts]
        figures |= _named(f"real_{language}", classified(told, truth, "intent"))
        figures |= _named(f"real_{language}", dict(_out_of_scope(told, truth)))
    return figures


def zero_shot_sentiment(model: ServedModel, given: LabelledSet, most: int) -> dict[str, Figure]:
    """Return how the served model reads at most `most` judged reviews of a set it was not trained on."""
    judged = at_most(given.judged, most)
    told = model.sentiments([text for text, _ in judged])
    named = [{name: each[name] / (1 - each["neutral"]) for name in given.labels} for each in told]
    return _named(given.name, classified(named, [label for _, label in judged], "sentiment_served"))


def slots_of_titles(model: ServedModel, name: str, titles: Sequence[Spans]) -> dict[str, Figure]:
    """Return F1 over the keys that both know, of whole spans and of values wherever they stand."""
    keys = {key for title in titles for key, _, _ in title.spans}
    understood = model.understand([title.text for title in titles])
    found = [{(s.key, s.start, s.end) for s in each.slots if s.key in keys} for each in understood]
    return {f"{name}/slots/f1": span_f1(found, [set(title.spans) for title in titles])}


def intents(understanding: Understanding) -> dict[str, float]:
    """The probability of each intent."""
    return {each.label: each.probability for each in understanding.intents}


def categories(understanding: Understanding) -> dict[str, float]:
    """The probability of the likeliest categories."""
    return {each.label: each.probability for each in understanding.categories}


def _changed(model: ServedModel, texts: Sequence[str]) -> Figure:
    return share([text != meant for text, meant in zip(texts, model.meant(texts), strict=True)])


def _drawn(texts: tuple[_Text, ...], most: int) -> tuple[_Text, ...]:
    test = [text for text in texts if text.split == "test"]
    return tuple(test[:: max(1, -(-len(test) // most))])


def _aspects(model: ServedModel, reviews: Sequence[Review]) -> Figure:
    """F1 of what reviews say: pairs of an aspect and the sentiment of a clause that names it."""
    clauses = [
        (row, each) for row, review in enumerate(reviews) for each in model.aspects.clauses(review.text)
    ]
    told = model.sentiments([clause.text for _, clause in clauses])
    found: list[set[tuple[str, str]]] = [set() for _ in reviews]
    for (row, clause), probabilities in zip(clauses, told, strict=True):
        found[row] |= {(aspect, likeliest(probabilities)) for aspect in clause.aspects}
    return span_f1(found, [{(each.aspect, each.sentiment) for each in review.aspects} for review in reviews])


def _merged(understanding: Understanding) -> dict[str, float]:
    by_name = intents(understanding)
    shopping = sum(by_name.pop(intent, 0.0) for intent in _SHOPPING_INTENTS)
    return {SHOPPING: shopping, **by_name}


def _out_of_scope(told: Sequence[dict[str, float]], truth: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    outside = np.array([intent == OUT_OF_SCOPE for intent in truth])
    if outside.any() and not outside.all():
        scores = np.array([each[OUT_OF_SCOPE] for each in told])
        yield "out_of_scope/auroc", told_apart(scores[outside], scores[~outside])


def _named(group: str, figures: dict[str, Figure]) -> dict[str, Figure]:
    return {f"{group}/{name}": figure for name, figure in figures.items()}
