"""How the page of one surface is arranged, as it is configured."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Diversity(_Part):
    """How unlike each other the products of the first places are.

    `strength` is in units of the score: at 0.7 a product that shares nothing with those above it may stand
    before one that is e^0.7 ≈ 2 times as good by the blend and of which 1/e is new.
    """

    strength: float = Field(0.0, ge=0, le=10, description="weight of ln(what is new); 0 switches it off")
    category: float = Field(0.4, ge=0, le=1, description="likeness of products of the same category")
    root: float = Field(0.2, ge=0, le=1, description="likeness of products of the same first-level category")
    brand: float = Field(0.2, ge=0, le=1, description="likeness of products of the same brand")
    color: float = Field(0.1, ge=0, le=1, description="likeness of products of the same colour")


class Caps(_Part):
    """The most products of one kind among the first places; 0 for no cap."""

    brand: int = Field(0, ge=0, description="most products of one brand; 0 for any number")
    seller: int = Field(0, ge=0, description="most products of one seller; 0 for any number")
    seller_attribute: str = Field("seller", min_length=1, description="attribute that names the seller")
    variants: int = Field(0, ge=0, description="most variants of one product (group_id); 0 for any number")


class Exploration(_Part):
    """Places that are kept for new products, to learn how they are received.

    Which places and which products is drawn from the request id: the same id gives the same answer.
    """

    share: float = Field(0.0, ge=0, le=0.5, description="share of the first places; 0 switches it off")
    days: float = Field(30.0, gt=0, description="a product counts as new for so many days")
    most_reviews: int = Field(5, ge=0, description="a product with more reviews is known already")
    first_position: int = Field(4, ge=1, description="places before this one are never given away")


class Arrangement(_Part):
    """How the first `places` of a surface are arranged; behind them the score alone decides."""

    places: int = Field(20, ge=1, le=100, description="number of first places that are arranged")
    diversity: Diversity = Diversity()
    caps: Caps = Caps()
    exploration: Exploration = Exploration()

    @property
    def changes_nothing(self) -> bool:
        """Whether the order of the scores stands."""
        caps = self.caps.brand or self.caps.seller or self.caps.variants
        return not (self.diversity.strength or caps or self.exploration.share)
