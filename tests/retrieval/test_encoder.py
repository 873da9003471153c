"""The query encoder in process, with the published model."""

from pathlib import Path

import numpy as np

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.retrieval.encoder import Encoder


async def test_a_query_that_is_asked_again_at_once_is_not_embedded_again(models_root: Path) -> None:
    encoder = Encoder(
        TextModel.open(ModelStore(models_root), "retriever", InferenceSettings(models=models_root))
    )
    try:
        first, again, other = [await encoder.query(text) for text in ("T恤", "T恤", "dress")]
    finally:
        await encoder.close()
    assert again is first
    assert not np.array_equal(first, other)
