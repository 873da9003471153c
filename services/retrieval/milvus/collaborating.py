"""The collaborative model beside a search in Milvus: its scores of what was found, and what it would find."""

from collections.abc import Sequence

import numpy as np

from aisle.catalog.v1.serving_pb2 import ModelVersion
from services.retrieval import fusion
from services.retrieval.answer import Channel
from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.collaborative_rows import COLLABORATIVE
from services.retrieval.inner_products import inner_products


class Collaborating:
    """A model, or none, whose products are looked up by id."""

    def __init__(self, model: CollaborativeModel | None) -> None:
        self._model = model
        self._places = {each: place for place, each in enumerate(model.ids)} if model else {}

    @property
    def version(self) -> ModelVersion | None:
        """The model's version, None without a model."""
        return self._model.version if self._model else None

    def channels(self, history_ids: Sequence[str], ids: Sequence[str]) -> list[Channel]:
        """Return the channel of the products with `ids`, −inf for those unknown to it; none if all are."""
        known = [row for row, each in enumerate(ids) if each in self._places]
        user = self._model.user_vector(history_ids) if self._model and known else None
        if self._model is None or user is None:
            return []
        vectors = self._model.vectors[[self._places[ids[row]] for row in known]]
        scores = np.full(len(ids), -np.inf, np.float32)
        scores[known] = inner_products(vectors, user)
        return [Channel(COLLABORATIVE, scores)]

    def next_ids(self, history_ids: Sequence[str], limit: int) -> list[str]:
        """Return the products that users with such a history turned to next, best first."""
        user = self._model.user_vector(history_ids) if self._model else None
        if self._model is None or user is None:
            return []
        best = fusion.best(inner_products(self._model.vectors, user), limit)
        return [self._model.ids[place] for place in best.tolist()]
