"""The cross-encoder as it is served: P(relevant) of passages that are read beside a query."""

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore, StoredModel
from runtime.serving.errors import AisleError
from runtime.settings import StartupError
from services.ranking.columns import Floats
from services.ranking.pairs import CALIBRATION_FILE, CROSS_ENCODER, OUTPUT, Calibration, pair_text

MOST_READ = 100  # passages of one request


class CrossEncoder:
    """A published cross-encoder; pairs of concurrent requests share batches."""

    def __init__(self, model: TextModel, calibration: Calibration) -> None:
        self._model = model
        self._calibration = calibration
        self.version = model.version

    @classmethod
    def open(cls, store: ModelStore, settings: InferenceSettings) -> "CrossEncoder":
        """Load the current version; raises StartupError when it is missing, damaged or not calibrated."""
        if store.current(CROSS_ENCODER) is None:
            raise StartupError(
                f"--rerank needs the model {CROSS_ENCODER!r}, and {store.root} holds none: train it with "
                "`make cross-encoder`, or leave --rerank at 0"
            )
        model = TextModel.open(store, CROSS_ENCODER, settings)
        if not model.manifest.max_tokens:
            raise StartupError(
                f"{model.stored.folder} sets no max_tokens; train it again with `make cross-encoder`"
            )
        return cls(model, _read_calibration(model.stored))

    def warm_up(self) -> None:
        """Run texts of several lengths, so that the first request meets no first-time cost."""
        self._model.warm_up()

    async def relevances(self, query: str, passages: Sequence[str]) -> Floats:
        """Return P(relevant) of each passage, float64 [n].

        Raises as `Batcher.submit` does, and AisleError when the model gives what is no number.
        """
        manifest = self._model.manifest
        results = await self._model.run([pair_text(manifest, query, passage) for passage in passages])
        logits = np.array([float(result.outputs[OUTPUT]) for result in results])
        if not np.isfinite(logits).all():
            wrong = int(np.flatnonzero(~np.isfinite(logits))[0])
            raise AisleError(
                f"{manifest.name} {manifest.version} gave {logits[wrong]} for passage {wrong}; "
                "activate another version"
            )
        return self._calibration.probabilities(logits)

    async def close(self) -> None:
        """Finish what waits and release the thread."""
        await self._model.close()


def _read_calibration(stored: StoredModel) -> Calibration:
    if CALIBRATION_FILE not in stored.manifest.files:
        raise StartupError(
            f"{stored.folder} holds no {CALIBRATION_FILE}: it was trained to teach alone; "
            "train it again with `make cross-encoder`"
        )
    path = stored.file(CALIBRATION_FILE)
    try:
        return Calibration.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise StartupError(
            f"{path} does not hold what it should ({error}); publish the model again"
        ) from error
