"""From the model's numbers to what a query means."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.intent.v1.intent_pb2 import LabelProbability, PriceBounds, Slot, Understanding
from services.intent.constraints import find_constraints
from services.intent.labels import Labels
from services.intent.language import language
from services.intent.lexicon import Lexicon
from services.intent.negation import negated
from services.intent.prices import Bounds, price_bounds
from services.intent.slots import KeyProbabilities, Offsets, Value, find_values

MOST_CATEGORIES = 10

Floats = NDArray[np.floating[Any]]


class Decoder:
    """Reads the outputs of one model, by its labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._lexicon = Lexicon(labels.lexicon)

    def understand(self, query: str, outputs: Mapping[str, Floats], offsets: Offsets) -> Understanding:
        """Return the understanding of `query`.

        `outputs` are logits: "intent" [intents], "category" [categories], "slots" [tokens, tags]; `offsets`
        are the tokens' spans in `query`, in characters, (0, 0) for special tokens.
        """
        bounds = price_bounds(query)
        slots = self._slots(query, outputs["slots"], offsets, bounds)
        return Understanding(
            intents=_ranked(outputs["intent"], self._labels.intent, len(self._labels.intent)),
            categories=_ranked(outputs["category"], self._labels.category, MOST_CATEGORIES),
            slots=slots,
            price=_price(bounds) if bounds else None,
            language=language(query),
            constraints=find_constraints(query, self._lexicon, bounds, slots),
        )

    def _slots(self, query: str, logits: Floats, offsets: Offsets, bounds: Bounds | None) -> list[Slot]:
        prices = bounds.spans if bounds else ()
        keys = KeyProbabilities(softmax(logits), self._labels.slots, offsets)
        values = [
            value
            for value in find_values(query, self._lexicon, keys)
            if not any(value.start < end and start < value.end for start, end in prices)
        ]
        flags = negated(query, [(value.start, value.end) for value in values])
        return [_slot(value, flag) for value, flag in zip(values, flags, strict=True)]


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Return probabilities along the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _slot(value: Value, is_negated: bool) -> Slot:
    return Slot(
        key=value.key,
        value=value.value,
        confidence=value.confidence,
        start=value.start,
        end=value.end,
        negated=is_negated,
    )


def _ranked(logits: Floats, names: Sequence[str], most: int) -> list[LabelProbability]:
    probabilities = softmax(logits)
    order = np.argsort(-probabilities, kind="stable")[:most]
    return [LabelProbability(label=names[each], probability=probabilities[each]) for each in order]


def _price(bounds: Bounds) -> PriceBounds:
    return PriceBounds(minimum=bounds.minimum, maximum=bounds.maximum, currency_code=bounds.currency)
