"""Probabilities after temperatures, and the decision that a text is out of scope."""

import numpy as np
import pytest

from services.intent.confidence import Confidence
from services.intent.labels import Labels, Scope, SlotScale, Temperatures

INTENTS = ["browse", "support", "out_of_scope"]


def confidence(
    scope: Scope | None = None, temperature: float = 1.0, intents: list[str] = INTENTS
) -> Confidence:
    return Confidence(
        Labels(
            intent=intents,
            category=["clothing/t-shirt"],
            slots=["O", "B-color", "I-color"],
            lexicon={},
            temperatures=Temperatures(intent=temperature),
            scope=scope,
        )
    )


def outputs(logits: list[float], distance: float = 0.0) -> dict[str, np.ndarray]:
    return {"intent": np.array(logits, dtype=np.float32), "distance": np.array([distance], dtype=np.float32)}


SCOPE = Scope(intercept=-10.0, intent=1.0, distance=1.0, threshold=0.4)


def test_a_temperature_above_one_makes_less_sure_but_changes_no_order() -> None:
    sharp, soft = (confidence(temperature=each).intents(outputs([3, 1, 0])) for each in (1.0, 2.0))
    assert sharp.max() > soft.max() and sharp.argmax() == soft.argmax()
    assert soft == pytest.approx(np.exp([1.5, 0.5, 0]) / np.exp([1.5, 0.5, 0]).sum())


def test_what_is_far_from_all_that_is_known_is_out_of_scope_though_the_head_is_sure() -> None:
    judge = confidence(SCOPE)
    near, far = (judge.intents(outputs([6, 0, 0], distance)) for distance in (5.0, 25.0))
    assert not judge.out_of_scope(near) and judge.out_of_scope(far)
    assert far[2] > 0.99 and near[2] < 0.01
    for told in (near, far):
        assert told.sum() == pytest.approx(1)
        assert told[0] / told[1] == pytest.approx(np.exp(6), rel=1e-3)


def test_the_threshold_decides() -> None:
    judge = confidence(SCOPE)
    assert judge.out_of_scope(np.array([0.6, 0.0, 0.4]))
    assert not judge.out_of_scope(np.array([0.61, 0.0, 0.39]))


def test_a_model_without_scope_decides_by_its_head_and_one_without_the_intent_never() -> None:
    assert confidence().out_of_scope(confidence().intents(outputs([0, 0, 5])))
    shop = confidence(SCOPE, intents=["browse", "support"])
    assert not shop.out_of_scope(shop.intents(outputs([0, 0], 99.0)))


def test_how_sure_a_value_is_follows_the_tagger_as_validation_found_it() -> None:
    plain = confidence()
    assert plain.slot(0.4) == pytest.approx(0.4)
    labels = Labels(
        intent=INTENTS, category=["home/lamp"], slots=["O", "B-color", "I-color"], lexicon={},
        slot_scale=SlotScale(intercept=2.0, slope=0.5),
    )  # fmt: skip
    told = [Confidence(labels).slot(each) for each in (0.3, 0.5, 0.9)]
    assert told == sorted(told) and told[1] == pytest.approx(1 / (1 + np.exp(-2)))
