"""How the cross-encoder is trained."""

from dataclasses import asdict, dataclass
from typing import Literal

RecipeName = Literal["default", "long", "large"]


@dataclass(frozen=True)
class Recipe:
    """Everything but data, base and seed that decides the weights."""

    layers: int  # of the base, the lowest: what it costs to serve
    trainable_layers: int  # of those, the upper ones
    epochs: int
    steps_per_epoch: int
    questions: int  # of a batch
    candidates: int  # of a question: one answer, the others mined or any
    tokens: int  # of a pair, in training and served
    learning_rate: float = 5e-5
    head_rate: float = 1e-3
    catalogue_share: float = 0.25  # of the questions: titles to what else is said of the product
    sharpness: float = 6.0  # of the distribution that grades stand for: softmax of so many times the grade
    validation_questions: int = 40
    validation_candidates: int = 12

    def settings(self, seed: int) -> dict[str, object]:
        """The recipe as JSON values, for its fingerprint and the manifest."""
        return {**asdict(self), "seed": seed}


RECIPES: dict[RecipeName, Recipe] = {
    "default": Recipe(
        layers=6,
        trainable_layers=4,
        epochs=2,
        steps_per_epoch=30,
        questions=8,
        candidates=6,
        tokens=64,
    ),
    # Five times the lists, each searched for once: about 25 minutes of one core.
    "long": Recipe(
        layers=6,
        trainable_layers=6,
        epochs=5,
        steps_per_epoch=60,
        questions=8,
        candidates=6,
        tokens=64,
        learning_rate=1e-4,
        catalogue_share=0.15,
        validation_questions=100,
    ),
    "large": Recipe(
        layers=12,
        trainable_layers=8,
        epochs=4,
        steps_per_epoch=150,
        questions=12,
        candidates=8,
        tokens=96,
        validation_questions=150,
        validation_candidates=30,
    ),
}
