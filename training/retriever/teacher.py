"""A published cross-encoder that tells the bi-encoder how good each of a query's candidates is."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.ranking.pairs import CROSS_ENCODER, OUTPUT, pair_text


class Teacher:
    """The current cross-encoder of a store; raises StartupError when there is none."""

    def __init__(self, store: ModelStore) -> None:
        self._model = TextModel.open(store, CROSS_ENCODER, InferenceSettings(models=store.root))
        self.version = self._model.manifest.version

    def logits(self, queries: Sequence[str], passages: Sequence[str], listed: Tensor) -> Tensor:
        """float32 [queries, passages]: the logit of each pair `listed` in a list of two or more, else NaN."""
        logits = torch.full(listed.shape, float("nan"))
        asked = listed & (listed.sum(dim=1, keepdim=True) > 1)
        places = [(int(row), int(column)) for row, column in asked.nonzero().tolist()]
        manifest = self._model.manifest
        texts = [pair_text(manifest, queries[row], passages[column]) for row, column in places]
        for place, result in zip(places, self._model.run_sync(texts), strict=True):
            logits[place] = float(np.asarray(result.outputs[OUTPUT]))
        return logits
