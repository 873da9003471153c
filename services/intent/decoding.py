"""From the model's numbers to what a query means."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from aisle.intent.v1.intent_pb2 import LabelProbability, PriceBounds, Slot, Understanding
from runtime.folding import fold
from runtime.inference.encoder import TextResult
from services.intent.confidence import Confidence, Floats, Probabilities
from services.intent.constraints import find_constraints
from services.intent.labels import Labels
from services.intent.language import language
from services.intent.lexicon import Lexicon
from services.intent.negation import negated
from services.intent.prices import Bounds, price_bounds
from services.intent.slots import KeyProbabilities, Offsets, Value, find_values
from services.intent.spelling import Spelled, Speller

MOST_CATEGORIES = 10


class Decoder:
    """Reads the outputs of one model, by its labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._lexicon = Lexicon(labels.lexicon, labels.confusions)
        self._confidence = Confidence(labels)
        self._speller = Speller(labels.vocabulary)

    def spelled(self, query: str) -> Spelled:
        """Return `query` as the model reads it, its misspelt words corrected."""
        return self._speller.read(query)

    def understood(
        self, queries: Sequence[str], run: Callable[[list[str]], Sequence[TextResult]]
    ) -> list[Understanding]:
        """Return what the service says of each query; `run` gives what the model says of folded texts."""
        meant = [self.spelled(query) for query in queries]
        said = run([fold(each.text) for each in meant])
        return [
            spelled.placed(self.understand(spelled.text, each.outputs, each.offsets))
            for spelled, each in zip(meant, said, strict=True)
        ]

    def understand(self, query: str, outputs: Mapping[str, Floats], offsets: Offsets) -> Understanding:
        """Return the understanding of `query`.

        `outputs` are logits: "intent" [intents], "category" [categories], "slots" [tokens, tags], and, where
        the labels tell the scope, "distance" [1]; `offsets` are the tokens' spans in `query`, in characters,
        (0, 0) for special tokens.
        """
        bounds = price_bounds(query)
        intents = self._confidence.intents(outputs)
        categories = self._confidence.of("category", outputs)
        slots = self._slots(query, self._confidence.of("slots", outputs), offsets, bounds)
        return Understanding(
            intents=_ranked(intents, self._labels.intent, len(intents)),
            categories=_ranked(categories, self._labels.category, MOST_CATEGORIES),
            out_of_scope=self._confidence.out_of_scope(intents),
            slots=slots,
            price=_price(bounds) if bounds else None,
            language=language(query),
            constraints=find_constraints(query, self._lexicon, bounds, slots),
        )

    def sentiment(self, outputs: Mapping[str, Floats]) -> dict[str, float]:
        """Return the probability of each sentiment; `outputs` holds the logits "sentiment" [sentiments]."""
        probabilities = self._confidence.of("sentiment", outputs)
        return dict(zip(self._labels.sentiment, probabilities.tolist(), strict=True))

    def _slots(self, query: str, tags: Probabilities, offsets: Offsets, bounds: Bounds | None) -> list[Slot]:
        prices = bounds.spans if bounds else ()
        keys = KeyProbabilities(tags, self._labels.slots, offsets)
        values = [
            value
            for value in find_values(query, self._lexicon, keys)
            if not any(value.start < end and start < value.end for start, end in prices)
        ]
        flags = negated(query, [(value.start, value.end) for value in values])
        return [self._slot(value, flag) for value, flag in zip(values, flags, strict=True)]

    def _slot(self, value: Value, is_negated: bool) -> Slot:
        return Slot(
            key=value.key,
            value=value.value,
            confidence=self._confidence.slot(value.probability),
            start=value.start,
            end=value.end,
            negated=is_negated,
        )


def _ranked(probabilities: Probabilities, names: Sequence[str], most: int) -> list[LabelProbability]:
    order = np.argsort(-probabilities, kind="stable")[:most]
    return [LabelProbability(label=names[each], probability=probabilities[each]) for each in order]


def _price(bounds: Bounds) -> PriceBounds:
    return PriceBounds(minimum=bounds.minimum, maximum=bounds.maximum, currency_code=bounds.currency)
