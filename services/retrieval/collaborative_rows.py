"""The collaborative model's products found in the rows of a catalogue that changes."""

import numpy as np

from runtime.observability.logs import get_logger
from services.retrieval.collaborative import CollaborativeModel, Vectors
from services.retrieval.fusion import Scores
from services.retrieval.inner_products import inner_products

logger = get_logger(__name__)

COLLABORATIVE = "collaborative"  # the channel's name

_NOWHERE = -1


class CollaborativeRows:
    """Which row holds each product that a model knows.

    Not thread-safe: changes and reads must not overlap.
    """

    def __init__(self, model: CollaborativeModel) -> None:
        self._model = model
        self._places = {product_id: place for place, product_id in enumerate(model.ids)}
        self._rows = np.full(len(model.ids), _NOWHERE, np.intp)
        self._strange = False

    def put(self, product_id: str, row: int | None) -> None:
        """Note that a product is at `row` now, wherever it was; None when it is gone."""
        place = self._places.get(product_id)
        if place is not None:
            self._rows[place] = _NOWHERE if row is None else row

    def scores(self, user: Vectors, n: int) -> Scores | None:
        """Return the scores of rows 0 … n − 1, float32 [n], −inf where the model does not know the product.

        `user` is a user's vector. None when the catalogue holds no product that the model knows.
        """
        held = self._rows >= 0
        shared = bool(held.any())
        self._tell(shared)
        if not shared:
            return None
        scores = np.full(n, -np.inf, np.float32)
        scores[self._rows[held]] = inner_products(self._model.vectors, user)[held]
        return scores

    def _tell(self, shared: bool) -> None:
        if not shared and not self._strange:
            logger.warning(
                "collaborative_channel_absent",
                reason="the catalogue holds no product that the sequence model learnt from",
                version=self._model.version.version,
            )
        self._strange = not shared
