"""What a shop knows of its customers' words beside its catalogue: synonyms and past queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.retrieval.words.exclusions import Reading, read
from services.retrieval.words.past_queries import read_past_queries
from services.retrieval.words.synonyms import SHIPPED, Synonyms


@dataclass(frozen=True)
class QueryWords:
    """Synonyms, and past queries by their folded text with how often each was put.

    `exclusions`: whether what a query does not want is told from what it wants.
    """

    synonyms: Synonyms = field(default_factory=lambda: Synonyms([]))
    past_queries: Mapping[str, int] = field(default_factory=dict)
    exclusions: bool = True

    def reading(self, query: str) -> Reading:
        """Return what `query` wants and does not want."""
        return read(query) if self.exclusions else Reading(query)

    @classmethod
    def shipped(cls) -> "QueryWords":
        """Return the synonyms that are used when no file is named."""
        return cls(Synonyms.read(SHIPPED))

    @classmethod
    def read(cls, synonyms: Path | None, queries: Path | None) -> "QueryWords":
        """Read both, either of which may be None. Raises StartupError naming file and line."""
        return cls(
            Synonyms.read(synonyms) if synonyms else Synonyms([]),
            read_past_queries(queries) if queries else {},
        )
