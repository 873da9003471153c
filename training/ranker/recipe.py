"""What decides the weights of a ranker, so that the same training is not done twice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from training.demo_shop.products import LOG_DAYS
from training.recipe import digest

_REPOSITORY = Path(__file__).resolve().parents[2]
# The code that makes features and candidates decides the weights as much as the data does.
_SOURCES = ("training/ranker", "training/export", "services/ranking", "services/retrieval")


@dataclass(frozen=True)
class Recipe:
    """Options of a training.

    `requests` is the most requests of the log that are learned from; `days` of the log come into training,
    so that the days after them are new to the ranker.
    """

    seed: int = 7
    epochs: int = 8
    requests: int = 6500
    days: int = LOG_DAYS - 10

    def ingredients(self, shop: Path, upstream: Mapping[str, str]) -> dict[str, object]:
        """Return all that decides the weights; `upstream` tells what trained the models before ranking."""
        sources = [file for folder in _SOURCES for file in sorted((_REPOSITORY / folder).glob("*.py"))]
        return {
            **asdict(self),
            "shop": digest(shop / "fingerprint.json"),
            "code": digest(*sources),
            "upstream": dict(upstream),
        }
