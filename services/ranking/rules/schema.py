"""What a file of rules holds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

MOST_RULES = 1000
MOST_PRODUCTS = 1000
MOST_PINNED = 20
LAST_POSITION = 100

Text = Annotated[str, Field(min_length=1, max_length=512)]


class SurfaceName(StrEnum):
    """Where a rule holds."""

    SEARCH = "search"
    HOME = "home"
    SIMILAR = "similar"
    BOUGHT_TOGETHER = "bought_together"
    NEW = "new"
    ACROSS = "across"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


class When(_Part):
    """The requests a rule is for; what is not given does not matter.

    `queries` are patterns in which `*` stands for any characters and `?` for one, matched with the whole
    query in any case and width. `categories` are paths ("clothing/t-shirt") at or above the likeliest
    category of the query, if that is at least as likely as not.
    """

    queries: tuple[Text, ...] = Field((), max_length=200)
    categories: tuple[Text, ...] = Field((), max_length=200)
    surfaces: tuple[SurfaceName, ...] = ()
    since: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("`until` must be later than `from`")
        return self

    def holds_at(self, instant: datetime) -> bool:
        """Return whether `instant` lies in the rule's time."""
        return (self.since is None or self.since <= instant) and (self.until is None or instant < self.until)


class Goods(_Part):
    """The products a rule is about: those that have one value of every field given."""

    products: tuple[Text, ...] = Field((), max_length=MOST_PRODUCTS)
    brands: tuple[Text, ...] = ()
    categories: tuple[Text, ...] = ()
    attributes: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not (self.products or self.brands or self.categories or self.attributes):
            raise ValueError("name the goods by `products`, `brands`, `categories` or `attributes`")
        return self


class Pin(_Part):
    """Puts products one after the other, from a position on."""

    products: tuple[Text, ...] = Field(min_length=1, max_length=MOST_PINNED)
    position: int = Field(1, ge=1, le=LAST_POSITION)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if len(set(self.products)) < len(self.products):
            raise ValueError("name each product once")
        return self


class Shift(Goods):
    """Changes scores; a score is a sum of logarithms, so that 0.7 counts like being twice as good."""

    by: float = Field(gt=0, le=10)


class Rule(_Part):
    """One rule: an id that answers name it by, one action, and when it holds."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    note: str = Field("", max_length=500)
    when: When = When()
    pin: Pin | None = None
    boost: Shift | None = None
    bury: Shift | None = None
    hide: Goods | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        actions = [name for name in ("pin", "boost", "bury", "hide") if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError(
                f"give one of `pin`, `boost`, `bury` and `hide`, got {' and '.join(actions) or 'none'}"
            )
        return self

    @property
    def named_products(self) -> tuple[str, ...]:
        """The ids of products that the rule names."""
        goods = self.pin or self.boost or self.bury or self.hide
        return goods.products if goods else ()


class RuleFile(_Part):
    """A file of rules; where two touch the same product, the first has its way."""

    rules: tuple[Rule, ...] = Field((), max_length=MOST_RULES)
