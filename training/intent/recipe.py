"""How the intent model is trained."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from training.finetuning import Method
from training.intent.losses import Weights
from training.loop import Schedule

RecipeName = Literal["default", "large", "own_labels"]


@dataclass(frozen=True)
class Recipe:
    """Everything but data, seed and method that decides the weights."""

    trainable_layers: int
    epochs: int
    encoder_rate: float  # learning rate of the encoder's weights
    adapter_rate: float  # of adapters and prefixes
    head_rate: float
    batch: int = 32
    max_steps: int | None = None
    variation: float = 1.0  # scales how often a query is varied
    open_world: float = 0.25  # invented queries for other goods, as a share of the shop's
    fresh: bool = False  # vary the queries anew in each epoch; else once, and the frozen layers run once
    bfloat16: bool = False  # matrix products of the encoder; half the time where the processor has them
    checkpoint_steps: int = 100
    weights: Weights = field(default_factory=Weights)

    def invented(self, examples: int) -> int:
        """How many queries an epoch of so many examples gets besides."""
        return round(self.open_world * examples)

    def schedule(self, seed: int) -> Schedule:
        """Return how long to train."""
        return Schedule(
            epochs=self.epochs,
            max_steps=self.max_steps,
            seed=seed,
            checkpoint_steps=self.checkpoint_steps,
        )

    def settings(self, method: Method, seed: int) -> dict[str, object]:
        """Return the recipe as JSON values, for its fingerprint and the manifest."""
        return {**asdict(self), "method": method, "seed": seed}


RECIPES: dict[RecipeName, Recipe] = {
    "default": Recipe(trainable_layers=3, epochs=3, encoder_rate=5e-4, adapter_rate=2e-3, head_rate=1e-2),
    "large": Recipe(
        trainable_layers=12,
        epochs=6,
        encoder_rate=5e-5,
        adapter_rate=5e-4,
        head_rate=5e-3,
        fresh=True,
    ),
    # A shop's own intents, many of them and all in plain sentences: nothing to vary.
    "own_labels": Recipe(
        trainable_layers=6,
        epochs=5,
        encoder_rate=3e-4,
        adapter_rate=2e-3,
        head_rate=5e-3,
        variation=0.0,
        open_world=0.0,
        bfloat16=True,
        checkpoint_steps=50,
        weights=Weights(smoothing=0.1),
    ),
}
