"""Suggestions where Milvus searches: there are none."""

from aisle.catalog.v1.words_pb2 import Suggestion
from runtime.serving.errors import FailedPrecondition


class NoSuggestions:
    """What a catalogue that this process does not hold has to suggest."""

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def refresh(self) -> None:
        """There is nothing to follow."""

    def suggest(self, prefix: str, limit: int = 0, language: str = "") -> list[Suggestion]:
        """Raise FailedPrecondition with the remedy."""
        raise FailedPrecondition("suggestions need --search in-process: with --search milvus there are none")
