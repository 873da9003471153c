"""From the model's numbers to what a query means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.intent.v1.intent_pb2 import LabelProbability, PriceBounds, Slot, Understanding
from services.intent.labels import OUTSIDE, Labels
from services.intent.language import language
from services.intent.lexicon import Lexicon
from services.intent.negation import negated
from services.intent.prices import Bounds, price_bounds

MOST_CATEGORIES = 10

Floats = NDArray[np.floating[Any]]
Offsets = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class TaggedSpan:
    """A value that the tagger found: `text[start:end]`, with the mean probability of its tokens' tags."""

    key: str
    start: int
    end: int
    confidence: float


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
        return Understanding(
            intents=_ranked(outputs["intent"], self._labels.intent, len(self._labels.intent)),
            categories=_ranked(outputs["category"], self._labels.category, MOST_CATEGORIES),
            slots=self._slots(query, outputs["slots"], offsets, bounds),
            price=_price(bounds) if bounds else None,
            language=language(query),
        )

    def _slots(self, query: str, logits: Floats, offsets: Offsets, bounds: Bounds | None) -> list[Slot]:
        prices = bounds.spans if bounds else ()
        spans = [
            span
            for span in tagged_spans(query, softmax(logits), offsets, self._labels.slots)
            if not any(span.start < end and start < span.end for start, end in prices)
        ]
        slots = [self._slot(query, span) for span in spans]
        flags = negated(query, [(slot.start, slot.end) for slot in slots])
        for slot, flag in zip(slots, flags, strict=True):
            slot.negated = flag
        return slots

    def _slot(self, query: str, span: TaggedSpan) -> Slot:
        surface = query[span.start : span.end]
        value, start, end = self._lexicon.resolve(span.key, surface) or (surface, 0, len(surface))
        return Slot(
            key=span.key,
            value=value,
            confidence=span.confidence,
            start=span.start + start,
            end=span.start + end,
        )


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Return probabilities along the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def tagged_spans(
    query: str, probabilities: NDArray[np.float64], offsets: Offsets, tags: Sequence[str]
) -> list[TaggedSpan]:
    """Join the likeliest tag of each token into spans, left to right.

    `probabilities`: float64 [tokens, tags]. An I- tag that follows no value of its key begins one.
    """
    spans: list[TaggedSpan] = []
    for key, group in _groups(probabilities.argmax(axis=-1), offsets, tags):
        start, end = _trimmed(query, offsets[group[0]][0], offsets[group[-1]][1])
        if start < end:
            confidence = float(probabilities[group].max(axis=-1).mean())
            spans.append(TaggedSpan(key, start, end, confidence))
    return spans


def _groups(best: NDArray[Any], offsets: Offsets, tags: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    open_key, group = "", list[int]()
    for token, tag in enumerate(best):
        prefix, _, key = tags[tag].partition("-")
        if offsets[token][0] == offsets[token][1]:
            prefix, key = OUTSIDE, ""
        if prefix == "I" and key == open_key:
            group.append(token)
            continue
        if group:
            yield open_key, group
        open_key, group = key, [token] if key else []
    if group:
        yield open_key, group


def _trimmed(query: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space at the ends: a token may carry the space before it."""
    text = query[start:end]
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


def _ranked(logits: Floats, names: Sequence[str], most: int) -> list[LabelProbability]:
    probabilities = softmax(logits)
    order = np.argsort(-probabilities, kind="stable")[:most]
    return [LabelProbability(label=names[each], probability=probabilities[each]) for each in order]


def _price(bounds: Bounds) -> PriceBounds:
    return PriceBounds(minimum=bounds.minimum, maximum=bounds.maximum, currency_code=bounds.currency)
