"""The mapping file: which column of a catalogue is what of a product."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator


class CatalogError(Exception):
    """A catalogue cannot be read at all; the message says why and what to do."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Columns = Annotated[list[str], BeforeValidator(_listed)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Category(_Part):
    """The category's column; a text is split at `separator`, a list is taken as the path."""

    column: str
    separator: str = "/"


class Price(_Part):
    """The price's column in major units, and its currency: one for all rows, or a column of codes."""

    column: str
    currency: str = Field("", pattern="^([A-Z]{3})?$")
    currency_column: str = ""


class Availability(_Part):
    """The column that tells whether a product can be bought, and its values that mean yes."""

    column: str
    in_stock: Sequence[str] = ("1", "true", "yes", "in stock", "有货")


class Mapping(_Part):
    """Where each part of a product is found; several columns of one text are joined by a space."""

    id: str
    id_pattern: str = Field("", description="regular expression whose first group in the column is the id")
    title: dict[str, Columns] = Field(min_length=1, description="columns by language tag")
    description: dict[str, Columns] = Field(default_factory=dict, description="columns by language tag")
    group: str = Field("", description="what the variants of one product share")
    brand: str = ""
    category: Category | None = None
    price: Price | None = None
    rating: str = ""
    review_count: str = ""
    positive_review_share: str = ""
    attributes: dict[str, str] = Field(default_factory=dict, description="column by attribute key")
    images: Columns = Field(default_factory=list)
    availability: Availability | None = None
    create_time: str = Field("", description="ISO 8601, or seconds since 1970")

    @field_validator("id_pattern")
    @classmethod
    def _has_one_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"must be a regular expression: {error}") from error
        if pattern and groups < 1:
            raise ValueError("must have a group, such as (\\d+)")
        return pattern

    def columns(self) -> set[str]:
        """Return every column it names."""
        texts = [*self.title.values(), *self.description.values(), self.images]
        single = [self.id, self.brand, self.rating, self.review_count, self.positive_review_share]
        parts = [self.category, self.price, self.availability]
        named = {column for columns in texts for column in columns} | {*single, self.group, self.create_time}
        named |= {*self.attributes.values(), *(part.column for part in parts if part)}
        named |= {self.price.currency_column} if self.price else set()
        return named - {""}


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file; raises CatalogError naming the entry that is wrong."""
    try:
        return Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogError(f"mapping {path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise CatalogError(f"mapping {path} is wrong: {wrong}") from error
