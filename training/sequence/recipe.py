"""What decides the weights of a sequence model, so that the same training is not done twice."""

from dataclasses import asdict, dataclass
from pathlib import Path

from training.recipe import digest

_FOLDER = Path(__file__).resolve().parent
_SOURCES = ("fit", "losses", "model", "sequences")


@dataclass(frozen=True)
class Recipe:
    """Options of a training; `patience` counts the epochs without a better validation before it ends."""

    seed: int = 7
    epochs: int = 30
    patience: int = 4
    batch: int = 128
    dimension: int = 64
    dropout: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    sample: int = 2048  # items that stand for all in the loss, where there are more
    choose_by: str = "ndcg@10"  # the figure on validation that chooses the epoch

    def ingredients(self, *data: Path) -> dict[str, object]:
        """Return all that decides the weights; `data` are the files that are learned from,
        and those of the code that reads them."""
        code = digest(*(_FOLDER / f"{name}.py" for name in _SOURCES))
        return {**asdict(self), "data": digest(*data), "code": code}


# Few users and few products: every product fits into the loss. What a user had is never recommended again.
SHOP = Recipe(epochs=20, batch=32, dropout=0.3, learning_rate=3e-3, sample=10_000, choose_by="ndcg@10_new")
