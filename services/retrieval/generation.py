"""One generation in service: an index and the encoder of its space, always together."""

from dataclasses import dataclass
from typing import Any

from services.retrieval.encoder import Encoder
from services.retrieval.record import StoredGeneration
from services.retrieval.searching import SearchIndex


@dataclass(frozen=True, eq=False)
class Generation:
    """What a request takes once and uses to its end, so that query and products meet in one space."""

    stored: StoredGeneration
    encoder: Encoder
    index: SearchIndex[Any]

    def __post_init__(self) -> None:
        spaces = {self.stored.embedding_space, self.encoder.space}
        widths = {self.stored.dimension, self.encoder.dimension, self.index.dimension}
        if len(spaces) != 1 or len(widths) != 1:
            raise ValueError(f"index and encoder must share one space, got {spaces} and widths {widths}")
