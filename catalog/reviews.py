"""A file of reviews as events, and every row that is none with the reason."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aisle.catalog.v1.user_pb2 import EventType, UserEvent
from catalog.cells import RowProblem, instant, text
from catalog.mapping import CatalogError
from catalog.reading import RowSource

_MOST_CHARACTERS = 10_000
_MOST_ID_BYTES = 128


class ReviewMapping(BaseModel):
    """Which column of a file is what of a review; the defaults are those of the demo shop's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "id"
    product: str = "product_id"
    text: str = "text"
    user: str = Field("", description="who wrote it; without a column each review has a writer of its own")
    time: str = Field("event_seconds", description="ISO 8601, or seconds since 1970; may be empty")

    def required(self) -> set[str]:
        """Return the columns that a table must have."""
        return {self.id, self.product, self.text, self.user} - {""}


def read_review_mapping(path: Path) -> ReviewMapping:
    """Read a mapping file; raises CatalogError naming the entry that is wrong."""
    try:
        return ReviewMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogError(f"mapping {path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise CatalogError(f"mapping {path} is wrong: {wrong}") from error


@dataclass(frozen=True)
class ReviewSource(RowSource[UserEvent]):
    """A file of reviews. A review's event is known by the review's id, so that none is recorded twice."""

    path: Path
    mapping: ReviewMapping

    @classmethod
    def find(cls, path: Path, mapping: ReviewMapping) -> "ReviewSource":
        """Return the source; raises CatalogError when there is no such file."""
        if not path.is_file():
            raise CatalogError(f"there is no file of reviews at {path}")
        return cls(path, mapping)

    def described(self) -> str:
        """Return the mapping."""
        return self.mapping.model_dump_json()

    def required(self) -> AbstractSet[str]:
        """Return the columns that the mapping names."""
        return self.mapping.required()

    def item(self, values: dict[str, Any]) -> tuple[str, UserEvent]:
        """Return a row's event and the id it has in the file; raises RowProblem."""
        identifier = self._held(values, self.mapping.id, _MOST_ID_BYTES - len("review:"))
        written = self._held(values, self.mapping.text, None)
        if len(written) > _MOST_CHARACTERS:
            raise RowProblem(
                f"column {self.mapping.text!r} must be at most {_MOST_CHARACTERS} characters, "
                f"got {len(written)}"
            )
        event = UserEvent(
            event_id=f"review:{identifier}",
            user_id=self._held(values, self.mapping.user, _MOST_ID_BYTES)
            if self.mapping.user
            else f"review:{identifier}",
            product_id=self._held(values, self.mapping.product, _MOST_ID_BYTES),
            type=EventType.EVENT_TYPE_REVIEW,
            review_text=written,
        )
        when = instant(values, self.mapping.time)
        if when is not None:
            event.event_time.FromDatetime(when)
        return identifier, event

    def _held(self, values: dict[str, Any], column: str, most_bytes: int | None) -> str:
        found = text(values, column)
        size = len(found.encode())
        if not found or (most_bytes is not None and size > most_bytes):
            limit = f"1 to {most_bytes} bytes, got {size}" if most_bytes else "filled"
            raise RowProblem(f"column {column!r} must be {limit}")
        return found
