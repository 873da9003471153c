"""The ranking model as it is served: the ranker, or one of the baselines that are published beside it."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.inference.session import InferenceSettings, OnnxSession
from runtime.inference.store import ModelStore, StoredModel
from runtime.observability.metrics import MODEL_SECONDS
from runtime.settings import StartupError
from services.ranking.features import FEATURES, Inputs
from services.ranking.history_pairs import PAIRS
from services.ranking.objectives import Predictions

MODEL = "ranker"
# Other models with the same inputs and outputs, by what decides their order.
FUSED, LINEAR, LAMBDAMART = "ranker-fused", "ranker-linear", "ranker-lambdamart"
BASELINES = (FUSED, LINEAR, LAMBDAMART)
TRAINED_ON_FILE = "trained_on.json"


class TrainedOn(BaseModel):
    """A file of every version: the columns of its inputs in order, and the categories it has learned from.

    `pairs` is empty for a model that does not look at the single products of the history.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: list[str]
    pairs: list[str]
    categories: list[str]


class RankingModel:
    """A published model: features and relations to the history in, three probabilities per candidate out."""

    def __init__(self, session: OnnxSession, trained_on: TrainedOn) -> None:
        self._session = session
        self.categories = frozenset(category.casefold() for category in trained_on.categories)
        manifest = session.model.manifest
        self._attends = bool(trained_on.pairs)
        self.version = ModelVersion(name=manifest.name, version=manifest.version)

    @classmethod
    def open(
        cls, store: ModelStore, settings: InferenceSettings, version: str | None = None, name: str = MODEL
    ) -> "RankingModel":
        """Load a version, the current one by default, of the model `name`.

        Raises StartupError when it is missing, damaged or of other features.
        """
        stored = store.open(name, version)
        return cls(OnnxSession(stored, settings), _read_trained_on(stored))

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the probabilities of n candidates."""
        start = time.perf_counter()
        feeds = {"features": inputs.features}
        if self._attends:
            feeds["pairs"] = inputs.pairs.astype(np.float32, copy=False)
        outputs: dict[str, NDArray[Any]] = self._session.run(feeds)
        MODEL_SECONDS.labels(self.version.name, "infer").observe(time.perf_counter() - start)
        return Predictions(outputs["click"], outputs["conversion"], outputs["relevance"])


def _read_trained_on(stored: StoredModel) -> TrainedOn:
    path = stored.file(TRAINED_ON_FILE)
    try:
        trained_on = TrainedOn.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise StartupError(
            f"{path} does not hold what it should ({error}); publish the model again"
        ) from error
    columns, computed = trained_on.features + (trained_on.pairs or list(PAIRS)), [*FEATURES, *PAIRS]
    if columns != computed:
        differing = sorted(set(columns) ^ set(computed)) or ["their order"]
        raise StartupError(
            f"{stored.folder} was trained on other features than this version computes "
            f"({', '.join(differing[:5])}); train it again with `make models`"
        )
    return trained_on
