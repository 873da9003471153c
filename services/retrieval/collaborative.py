"""The collaborative model as it is served: what users with such a history turned to next."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aisle.catalog.v1.serving_pb2 import ModelVersion
from runtime.inference.session import InferenceSettings, OnnxSession
from runtime.inference.store import ModelStore, StoredModel
from runtime.observability.logs import get_logger
from runtime.observability.metrics import MODEL_SECONDS
from runtime.settings import StartupError

logger = get_logger(__name__)

MODEL = "sequence"
VECTORS_FILE = "items.npy"
ITEMS_FILE = "items.json"
INPUT, OUTPUT = "items", "user"

Vectors = NDArray[np.float32]


class Items(BaseModel):
    """A file of every version: the products it knows, in the order of its vectors.

    The graph reads product `ids[i]` as i + 1, and of a history the newest `longest`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: list[str] = Field(min_length=1)
    longest: int = Field(ge=1)


class CollaborativeModel:
    """A published sequence model: a history in, one vector out, to be compared with those of products.

    `ids` are the products it knows; `vectors`: float32 [len(ids), dim], a row for each.
    """

    def __init__(self, session: OnnxSession, items: Items, vectors: Vectors) -> None:
        self._session = session
        self._longest = items.longest
        self._numbers = {product_id: place + 1 for place, product_id in enumerate(items.ids)}
        self.ids = tuple(items.ids)
        self.vectors = vectors
        manifest = session.model.manifest
        self.version = ModelVersion(name=manifest.name, version=manifest.version)

    @classmethod
    def open(cls, store: ModelStore, settings: InferenceSettings) -> "CollaborativeModel | None":
        """Load the current version; None when none was published: a shop begins without a log.

        Raises StartupError when it is damaged. Its graph has one precision, whatever `settings` ask for.
        """
        if store.current(MODEL) is None:
            logger.info(
                "collaborative_channel_absent", reason=f"{store.root} holds no {MODEL}; `make models`"
            )
            return None
        stored = store.open(MODEL)
        items = _read_items(stored)
        vectors = _read_vectors(stored, len(items.ids))
        session = OnnxSession(stored, settings.model_copy(update={"precision": "auto"}))
        model = cls(session, items, vectors)
        model.warm_up()
        return model

    def warm_up(self) -> None:
        """Read the longest history, so that the first user meets no first-time cost.

        Raises StartupError when the graph's vector is none that the products' can be compared with.
        """
        user = self.user_vector(self.ids[: self._longest])
        if user is None or user.shape != self.vectors.shape[1:]:
            raise _unusable(self._session.model.folder, "its graph and its vectors differ in width")

    def user_vector(self, history_ids: Sequence[str]) -> Vectors | None:
        """Return the vector of a user, float32 [dim], from product ids, newest first.

        Unknown ids are passed over; None when no known one is left.
        """
        known = [self._numbers[each] for each in history_ids if each in self._numbers][: self._longest]
        if not known:
            return None
        start = time.perf_counter()
        outputs = self._session.run({INPUT: np.array([known[::-1]], np.int64)})
        MODEL_SECONDS.labels(self.version.name, "infer").observe(time.perf_counter() - start)
        user: Vectors = outputs[OUTPUT][0]
        return user


def _read_items(stored: StoredModel) -> Items:
    path = stored.file(ITEMS_FILE)
    try:
        items = Items.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error)) from error
    if len(set(items.ids)) < len(items.ids):
        raise _unusable(path, "a product is listed twice")
    return items


def _read_vectors(stored: StoredModel, items: int) -> Vectors:
    path = stored.file(VECTORS_FILE)
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise _unusable(path, str(error)) from error
    wanted = (items, stored.manifest.dimension)
    if vectors.shape != wanted or vectors.dtype != np.float32:
        raise _unusable(path, f"it is {vectors.dtype} {list(vectors.shape)}, not float32 {list(wanted)}")
    if not np.isfinite(vectors).all():
        raise _unusable(path, "a number in it is not finite")
    return vectors


def _unusable(path: Path, why: str) -> StartupError:
    return StartupError(f"{path} does not hold what it should ({why}); publish the model again")
