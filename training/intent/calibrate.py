"""What is fitted on validation texts after training: temperatures, and when a text is out of scope."""

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from tokenizers import Tokenizer

from runtime.folding import fold
from runtime.inference.encoder import TextResult
from services.intent.confidence import Confidence, logit, softmax
from services.intent.labels import OUT_OF_SCOPE, Labels, Scope, SlotScale, Temperatures
from services.intent.lexicon import Lexicon
from services.intent.slots import KeyProbabilities, find_values
from services.intent.spelling import Speller
from training.calibration import temperature
from training.intent.augmentation import misspelt
from training.intent.example import Example
from training.intent.reading import Run, read
from training.intent.tagging import IGNORED, tag
from training.intent.vocabulary import vocabulary

_BARELY_REGULARISED = 1e3
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


def calibrated(labels: Labels, run: Run, tokenizer: Tokenizer, texts: Sequence[Example]) -> Labels:
    """Return `labels` with what `texts` fit; each text tells of what it has a label for."""
    found, speller = read(run, tokenizer, [each.text for each in texts]), Speller(labels.vocabulary)
    fitted = labels.model_copy(update={"temperatures": _temperatures(labels, found, texts)})
    typed = _as_typed([each for each in texts if each.category])
    meant = [speller.read(each.text).text for each in typed]
    scale = _slot_scale(fitted, read(run, tokenizer, meant), meant, [_values(each) for each in typed])
    return fitted.model_copy(update={"slot_scale": scale, "scope": _scope(fitted, found, texts)})


def _as_typed(queries: Sequence[Example]) -> list[Example]:
    """The shop's own queries, of which every slot is told, and each again with a mistake in it."""
    return [*queries, *(misspelt(each, Random(place), vocabulary()) for place, each in enumerate(queries))]


def _slot_scale(
    labels: Labels, found: Sequence[TextResult], texts: Sequence[str], truth: Sequence[set[tuple[str, str]]]
) -> SlotScale:
    """Fit by logistic regression; as it is where the values said are all right, or all wrong.

    `found` is what was read of `texts`, `truth` their values by key.
    """
    confidence, lexicon = Confidence(labels), Lexicon(labels.lexicon, labels.confusions)
    said = [
        (logit(value.probability), (value.key, fold(value.value)) in true)
        for each, text, true in zip(found, texts, truth, strict=True)
        for value in find_values(
            text,
            lexicon,
            KeyProbabilities(confidence.of("slots", each.outputs), labels.slots, each.offsets),
        )
    ]
    right = np.array([flag for _, flag in said])
    if right.all() or not right.any():
        return SlotScale()
    fitted = LogisticRegression(C=_BARELY_REGULARISED).fit([[odds] for odds, _ in said], right)
    return SlotScale(intercept=float(fitted.intercept_[0]), slope=max(0.0, float(fitted.coef_[0][0])))


def _values(text: Example) -> set[tuple[str, str]]:
    return {(piece.key, fold(piece.value)) for piece in text.pieces}


def _temperatures(labels: Labels, found: Sequence[TextResult], texts: Sequence[Example]) -> Temperatures:
    named = {name: [getattr(each, name) for each in texts] for name in ("intent", "category", "sentiment")}
    fitted = {name: _of_texts(name, getattr(labels, name), found, truth) for name, truth in named.items()}
    return Temperatures(**fitted, slots=_of_tokens(labels, found, texts))


def _of_texts(output: str, names: Sequence[str], found: Sequence[TextResult], truth: Sequence[str]) -> float:
    rows = [row for row, name in enumerate(truth) if name]
    if not rows:
        return 1.0
    logits = np.stack([found[row].outputs[output] for row in rows])
    return temperature(logits, np.array([names.index(truth[row]) for row in rows]))


def _of_tokens(labels: Labels, found: Sequence[TextResult], texts: Sequence[Example]) -> float:
    numbers = {name: number for number, name in enumerate(labels.slots)}
    tags = np.concatenate(
        [tag(each.offsets, text.spans, numbers) for each, text in zip(found, texts, strict=True)]
    )
    logits = np.concatenate([each.outputs["slots"] for each in found])
    told = tags != IGNORED
    return temperature(logits[told], tags[told])


def _scope(labels: Labels, found: Sequence[TextResult], texts: Sequence[Example]) -> Scope | None:
    """Fit the scope by logistic regression; None where no text is out of scope, or all are."""
    outside = np.array([each.intent == OUT_OF_SCOPE for each in texts])
    if outside.all() or not outside.any():
        return None
    column = labels.intent.index(OUT_OF_SCOPE)
    logits = np.stack([each.outputs["intent"] for each in found]) / labels.temperatures.intent
    known = np.array([logit(row[column]) for row in softmax(logits)])
    distances = np.array([float(each.outputs["distance"][0]) for each in found])
    signs = np.stack([known, distances], axis=1)
    centre, spread = signs.mean(axis=0), np.maximum(signs.std(axis=0), 1e-6)
    fitted = LogisticRegression().fit((signs - centre) / spread, outside)
    weights = fitted.coef_[0] / spread
    probabilities = fitted.predict_proba((signs - centre) / spread)[:, 1]
    return Scope(
        intercept=float(fitted.intercept_[0] - weights @ centre),
        intent=float(weights[0]),
        distance=float(weights[1]),
        threshold=_threshold(probabilities, outside),
    )


def _threshold(probabilities: NDArray[np.float64], outside: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1; among equals the nearest to one half."""
    scores = [f1_score(outside, probabilities >= each) for each in _THRESHOLDS]
    best = _THRESHOLDS[np.isclose(scores, max(scores))]
    return float(best[np.abs(best - 0.5).argmin()])
