"""How the bi-encoder is fine-tuned."""

from dataclasses import asdict, dataclass
from typing import Literal

from training.finetuning import Method

RecipeName = Literal["default", "large", "untrained"]


@dataclass(frozen=True)
class Recipe:
    """Everything but data, base, seed and method that decides the weights."""

    trainable_layers: int
    epochs: int
    steps_per_epoch: int
    batch: int
    passage_tokens: int  # of a passage in training and validation; served ones are longer
    learning_rate: float = 3e-5  # of the encoder's own weights
    adapter_rate: float = 3e-4  # of LoRA's adapters
    query_tokens: int = 24
    temperature: float = 0.03
    symmetric: bool = True
    ratios: tuple[float, ...] = (0.5, 0.75, 1.0)  # of the tuned weights; validation chooses
    validation_pool: int = 200  # products that validation queries are put to
    validation_twins: int = 60  # pairs of a Chinese and an English validation query
    hard_negatives: int = 0  # of each pair, mined anew by the encoder of the time at each epoch's start
    mining_pool: int = 1000  # products of a source among which an epoch's are looked for
    multi_positive: bool = False  # every answer in a batch is a positive, not only the one drawn
    distillation: float = 0.0  # weight of the listwise divergence from the published cross-encoder
    dimensions: tuple[int, ...] = ()  # that embeddings must also be good at when cut to them (Matryoshka)

    def settings(self, method: Method, seed: int) -> dict[str, object]:
        """The recipe as JSON values, for its fingerprint and the manifest."""
        return {**asdict(self), "method": method, "seed": seed}


RECIPES: dict[RecipeName, Recipe] = {
    "default": Recipe(trainable_layers=3, epochs=2, steps_per_epoch=30, batch=32, passage_tokens=48),
    "large": Recipe(
        trainable_layers=6,
        epochs=4,
        steps_per_epoch=100,
        batch=48,
        passage_tokens=96,
        query_tokens=48,
        validation_pool=600,
        validation_twins=150,
    ),
    # The base as it is, to measure what fine-tuning is worth.
    "untrained": Recipe(
        trainable_layers=1, epochs=0, steps_per_epoch=1, batch=1, passage_tokens=64, ratios=()
    ),
}
