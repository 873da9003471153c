"""Probabilities that mean what they say, and distances that tell the unknown."""

import numpy as np
import pytest
import torch

from services.intent.confidence import softmax
from services.intent.labels import Labels, SlotScale
from training.calibration import expected_calibration_error, temperature
from training.intent.calibrate import calibrated
from training.intent.example import Example, Piece, plain
from training.intent.familiarity import Familiarity
from training.intent.reading import Arrays

RANDOM = np.random.default_rng(3)


def overconfident(rows: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels are drawn from their softmax, then multiplied by `factor`."""
    logits = RANDOM.normal(size=(rows, 4)) * 2
    labels = np.array([RANDOM.choice(4, p=row) for row in softmax(logits)])
    return logits * factor, labels


def test_the_temperature_undoes_what_made_the_model_too_sure() -> None:
    logits, labels = overconfident(4000, 3.0)
    found = temperature(logits, labels)
    assert found == pytest.approx(3.0, rel=0.15)
    before, after = (expected_calibration_error(logits / each, labels) for each in (1.0, found))
    assert after < 0.03 < before
    with pytest.raises(ValueError, match="at least one"):
        temperature(logits[:0], labels[:0])


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    logits = np.log(np.array([[0.9, 0.1]] * 10))
    assert expected_calibration_error(logits, np.zeros(10, dtype=int)) == pytest.approx(0.1)
    assert expected_calibration_error(logits, np.repeat([0, 1], 5)) == pytest.approx(0.4)


def test_what_is_unlike_every_known_group_is_far() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[5.0, 0, 0, 0], [0, 5.0, 0, 0]])
    groups = torch.arange(400) % 2
    spread = torch.tensor([1.0, 1.0, 3.0, 0.3])
    known = Familiarity(4)
    known.fit(centres[groups] + torch.randn(400, 4) * spread, groups * 7)
    texts = torch.tensor(
        [[5.0, 0, 0, 0], [0, 5.0, 0, 0], [5.0, 0, 3.0, 0], [5.0, 0, 0, 3.0], [-5.0, -5.0, 0, 0]]
    )
    distances = known(texts).squeeze(-1)
    assert distances.shape == (5,)
    assert distances[:2].max() < 0.5
    assert distances[2] < 2 < distances[3] < distances[4]  # what varies much counts little


def test_validation_texts_fit_temperatures_and_scope() -> None:
    labels = Labels(
        intent=["browse", "out_of_scope"],
        category=["clothing/t-shirt", "home/lamp"],
        slots=["O", "B-color", "I-color"],
        lexicon={},
    )
    texts = [
        Example((Piece("black", "color"), Piece(" tee")), "browse", "clothing/t-shirt"),
        plain("weather", "out_of_scope"),
        plain("great", "browse", "positive"),
    ] * 30

    fitted = calibrated(labels, _by_first_letter, _Words(), texts)
    assert fitted.temperatures.intent < 1 < fitted.temperatures.slots  # timid and right; sure and wrong
    assert fitted.scope is not None
    assert fitted.scope.distance > 0 and fitted.scope.intent > 0
    assert fitted.scope.threshold == pytest.approx(0.5)
    assert fitted.slot_scale == SlotScale()  # every value said is wrong here: nothing to tell apart
    inside = [each for each in texts if each.intent == "browse"]
    alone = calibrated(labels, _by_first_letter, _Words(), inside)
    assert alone.scope is None


class _Encoding:
    def __init__(self, text: str) -> None:
        self.ids = [ord(text[0]), 1]
        self.offsets = [(0, 5), (5, len(text))] if len(text) > 5 else [(0, len(text)), (0, 0)]


class _Words:
    """Two tokens for each text, the first of which is its first letter."""

    def encode_batch(self, texts: list[str]) -> list[_Encoding]:
        return [_Encoding(text) for text in texts]


def _by_first_letter(feed: Arrays) -> Arrays:
    first = feed["input_ids"][:, 0]
    outside = (first == ord("w")).astype(np.float32)
    rows = len(first)
    tags = np.zeros((rows, 2, 3), dtype=np.float32)
    tags[:, :, 1] = 4.0  # every token begins a colour
    return {
        "intent": np.stack([0.5 - outside, outside - 0.5], axis=1),
        "category": np.tile(np.array([1.0, 0.0], dtype=np.float32), (rows, 1)),
        "slots": tags,
        "sentiment": np.tile(np.array([0.0, 0.0, 1.0], dtype=np.float32), (rows, 1)),
        "distance": (5 + 10 * outside)[:, None],
    }
