"""How well queries are understood."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.metrics import f1_score

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.folding import fold
from training.calibration import calibration_error
from training.demo_shop import INTENTS, Query
from training.intent.example import Example

Facts = set[tuple[object, ...]]


def figures(understood: Sequence[Understanding], queries: Sequence[Query]) -> dict[str, float]:
    """Compare with the truth; every figure is 0 to 1.

    `category_accuracy` is over the queries that are about a category. `slot_f1` counts a slot as found when
    key, canonical value and negation are right, `span_f1` when key, start and end are; both are micro
    averages. `price_accuracy` asks for both bounds, and for no bounds where there are none. `*_ece` are
    expected calibration errors, that of slots over the slots said. `score`, the mean of the first, third and
    fourth, chooses the epoch.
    """
    said = [each.intents[0].label for each in understood]
    true = [query.intent for query in queries]
    pairs = list(zip(understood, queries, strict=True))
    about = [(each, query) for each, query in pairs if query.category]
    found = {
        "intent_macro_f1": float(f1_score(true, said, labels=INTENTS, average="macro", zero_division=0)),
        "intent_accuracy": _share(a == b for a, b in zip(said, true, strict=True)),
        "category_accuracy": _share(each.categories[0].label == query.category for each, query in about),
        "slot_f1": _micro_f1([found_values(u) for u in understood], [true_values(q) for q in queries]),
        "span_f1": _micro_f1([_spans(u) for u in understood], [_true_spans(q) for q in queries]),
        "price_accuracy": _share(map(_same_price, understood, queries)),
        "intent_ece": _ece((u.intents[0].probability, u.intents[0].label == q.intent) for u, q in pairs),
        "category_ece": _ece(
            (each.categories[0].probability, each.categories[0].label == query.category)
            for each, query in about
        ),
        "slot_ece": _ece(
            (slot.confidence, (slot.key, fold(slot.value), slot.negated) in true_values(query))
            for each, query in pairs
            for slot in each.slots
        ),
    }
    return {
        "score": (found["intent_macro_f1"] + found["category_accuracy"] + found["slot_f1"]) / 3,
        **found,
    }


def sentiment_figures(told: Sequence[Mapping[str, float]], reviews: Sequence[Example]) -> dict[str, float]:
    """Compare probabilities of sentiments with the reviews' true ones; every figure is 0 to 1."""
    said = [max(each, key=lambda name: each[name]) for each in told]
    true = [review.sentiment for review in reviews]
    right = [a == b for a, b in zip(said, true, strict=True)]
    return {
        "sentiment_accuracy": _share(right),
        "sentiment_macro_f1": float(f1_score(true, said, average="macro", zero_division=0)),
        "sentiment_ece": _ece((max(each.values()), flag) for each, flag in zip(told, right, strict=True)),
    }


def _share(flags: Iterable[bool]) -> float:
    told = list(flags)
    return sum(told) / len(told) if told else 0.0


def _ece(judged: Iterable[tuple[float, bool]]) -> float:
    pairs = list(judged)
    return calibration_error(np.array([sure for sure, _ in pairs]), np.array([float(r) for _, r in pairs]))


def _micro_f1(found: Sequence[Facts], true: Sequence[Facts]) -> float:
    right = sum(len(a & b) for a, b in zip(found, true, strict=True))
    total = sum(map(len, found)) + sum(map(len, true))
    return 2 * right / total if total else 1.0


def found_values(understanding: Understanding) -> Facts:
    """Return (key, value, negated) of each slot said; case, width and script of a value do not count."""
    return {(slot.key, fold(slot.value), slot.negated) for slot in understanding.slots}


def true_values(query: Query) -> Facts:
    """Return the same of each slot that is there."""
    return {(slot.key, fold(slot.value), slot.negated) for slot in query.slots}


def _spans(understanding: Understanding) -> Facts:
    return {(slot.key, slot.start, slot.end) for slot in understanding.slots}


def _true_spans(query: Query) -> Facts:
    return {(slot.key, slot.start, slot.end) for slot in query.slots}


def _same_price(understanding: Understanding, query: Query) -> bool:
    if query.price is None or not understanding.HasField("price"):
        return query.price is None and not understanding.HasField("price")
    said = understanding.price
    bounds = (
        said.minimum if said.HasField("minimum") else None,
        said.maximum if said.HasField("maximum") else None,
        said.currency_code,
    )
    return bounds == (query.price.minimum, query.price.maximum, query.price.currency)
