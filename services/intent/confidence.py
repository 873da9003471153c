"""From logits to probabilities that mean what they say, and the decision that a text is out of scope."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.intent.labels import OUT_OF_SCOPE, Labels

Floats = NDArray[np.floating[Any]]
Probabilities = NDArray[np.float64]

_LEAST = 1e-9  # probability that log-odds are taken of


class Confidence:
    """Applies what was fitted on validation texts: temperatures, and the scope."""

    def __init__(self, labels: Labels) -> None:
        self._temperatures, self._scope, self._slots = labels.temperatures, labels.scope, labels.slot_scale
        self._outside = labels.intent.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in labels.intent else -1

    def of(self, output: str, outputs: Mapping[str, Floats]) -> Probabilities:
        """Return the probabilities of an output's labels, along the last axis."""
        temperature: float = getattr(self._temperatures, output)
        return softmax(outputs[output] / temperature)

    def intents(self, outputs: Mapping[str, Floats]) -> Probabilities:
        """Return the intents' probabilities [intents].

        Where the scope is told, that of being outside of it comes from the distance too, and the others
        share the rest as the intent head has it.
        """
        probabilities = self.of("intent", outputs)
        if self._scope is None or self._outside < 0:
            return probabilities
        outside = self._outside_probability(probabilities, float(outputs["distance"][0]))
        others = max(1 - probabilities[self._outside], _LEAST)
        probabilities = probabilities * (1 - outside) / others
        probabilities[self._outside] = outside
        return np.asarray(probabilities / probabilities.sum())

    def slot(self, probability: float) -> float:
        """Return how sure a value is that the tagger gives this probability."""
        return _probability(self._slots.intercept + self._slots.slope * logit(probability))

    def out_of_scope(self, intents: Probabilities) -> bool:
        """Return whether a text with these probabilities of intents [intents] is out of scope."""
        if self._outside < 0:
            return False
        threshold = self._scope.threshold if self._scope else 0.5
        return bool(intents[self._outside] >= threshold)

    def _outside_probability(self, intents: Probabilities, distance: float) -> float:
        assert self._scope is not None
        scope = self._scope
        log_odds = scope.intercept + scope.intent * logit(intents[self._outside]) + scope.distance * distance
        return _probability(log_odds)


def softmax(logits: Floats) -> Probabilities:
    """Return probabilities along the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _probability(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def logit(probability: float) -> float:
    """Return the log-odds of a probability, kept finite."""
    kept = min(max(float(probability), _LEAST), 1 - _LEAST)
    return float(np.log(kept / (1 - kept)))
