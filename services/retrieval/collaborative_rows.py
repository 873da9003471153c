"""The collaborative model's products found in the rows of a catalogue that changes."""

from collections.abc import Callable

import numpy as np

from runtime.observability.logs import get_logger
from services.retrieval.collaborative import CollaborativeModel, Vectors
from services.retrieval.fusion import Rows, Scores
from services.retrieval.inner_products import inner_products

logger = get_logger(__name__)

COLLABORATIVE = "collaborative"  # the channel's name

RowOf = Callable[[str], int | None]


class CollaborativeRows:
    """A model's vectors in the rows of one state of the catalogue.

    Rows move when products are deleted, so the places are looked up anew after a change, once for all
    searches of that state (1 ms for 10,000 products). Thread-safe, as a state is replaced whole.
    """

    def __init__(self, model: CollaborativeModel) -> None:
        self._model = model
        self._found: tuple[int, Rows, Vectors] = (-1, np.zeros(0, np.intp), model.vectors[:0])
        self._strange = False

    def scores(self, user: Vectors, n: int, state: int, row_of: RowOf) -> Scores | None:
        """Return the scores of rows 0 … n − 1, float32 [n], −inf where the model does not know the product.

        `user` is a user's vector, `state` tells one state of the catalogue from another, `row_of` gives the
        row of a product. None when the catalogue holds no product that the model knows.
        """
        rows, vectors = self._places(state, row_of)
        if not rows.size:
            return None
        scores = np.full(n, -np.inf, np.float32)
        scores[rows] = inner_products(vectors, user)
        return scores

    def _places(self, state: int, row_of: RowOf) -> tuple[Rows, Vectors]:
        found, rows, vectors = self._found
        if found != state:
            places = np.array([-1 if (row := row_of(each)) is None else row for each in self._model.ids])
            rows, vectors = places[places >= 0].astype(np.intp), self._model.vectors[places >= 0]
            self._found = (state, rows, vectors)
            self._tell(rows.size)
        return rows, vectors

    def _tell(self, shared: int) -> None:
        if not shared and not self._strange:
            logger.warning(
                "collaborative_channel_absent",
                reason="the catalogue holds no product that the sequence model learnt from",
                version=self._model.version.version,
            )
        self._strange = not shared
