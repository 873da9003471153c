"""The labels of an intent model: what the numbers of its outputs stand for."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runtime.inference.store import StoredModel
from runtime.settings import StartupError

FILENAME = "labels.json"
SENTIMENTS = ("negative", "neutral", "positive")
OUT_OF_SCOPE = "out_of_scope"


class Temperatures(BaseModel):
    """What each output's logits are divided by before they become probabilities (Guo et al. 2017, arXiv
    1706.04599), fitted on validation texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: float = Field(1.0, gt=0)
    category: float = Field(1.0, gt=0)
    slots: float = Field(1.0, gt=0)
    sentiment: float = Field(1.0, gt=0)


class SlotScale(BaseModel):
    """How sure a value is: its log-odds are `intercept` + `slope` times those of the tagger (Platt 1999),
    fitted on the values that were said of validation texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float = 0.0
    slope: float = Field(1.0, ge=0)


class Scope(BaseModel):
    """When a text is about nothing that the shop does.

    The log-odds of that are `intercept` + `intent` times the intent head's own log-odds of it + `distance`
    times the graph's distance, fitted on validation texts; at `threshold` and above it is decided so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float
    intent: float
    distance: float
    threshold: float = Field(ge=0, le=1)


class Vocabulary(BaseModel):
    """The shop's words: in how many of so many `texts` each of the `words`, Latin or Chinese, in lower case
    and simplified, stands, and each of the `characters`, single Chinese ones and pairs of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: int = Field(0, ge=0)
    words: dict[str, int] = Field(default_factory=dict)
    characters: dict[str, int] = Field(default_factory=dict)


class Labels(BaseModel):
    """The names of the columns of each output, the lexicon of attribute values, and how sure to be.

    `slots` are the BIO tags (Ramshaw & Marcus 1995): "O", then "B-<key>" for the first token of a value and
    "I-<key>" for those that go on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: list[str] = Field(min_length=1)
    category: list[str] = Field(min_length=1)
    slots: list[str] = Field(min_length=3)
    sentiment: list[str] = Field(list(SENTIMENTS), min_length=2)
    lexicon: dict[str, dict[str, str]]
    confusions: dict[str, str] = Field(default_factory=dict)  # character → those written for it by mistake
    vocabulary: Vocabulary = Vocabulary()
    aspects: dict[str, list[str]] = Field(default_factory=dict)  # aspect → words that name it in a review
    temperatures: Temperatures = Temperatures()
    slot_scale: SlotScale = SlotScale()
    scope: Scope | None = None

    @field_validator("slots")
    @classmethod
    def _are_tags(cls, tags: list[str]) -> list[str]:
        keys = {tag[2:] for tag in tags if tag.startswith("B-")}
        if set(tags) != {"O", *(f"{prefix}-{key}" for key in keys for prefix in "BI")}:
            raise ValueError('must be "O" with "B-<key>" and "I-<key>" of each key')
        return tags


def read_labels(stored: StoredModel) -> Labels:
    """Return a version's labels; raises StartupError when they are missing, damaged or not the graph's."""
    path = stored.file(FILENAME)
    labels = _parse(path)
    widths = {output.name: output.shape[-1] for output in stored.manifest.outputs}
    for name in ("intent", "category", "slots", "sentiment"):
        named = len(getattr(labels, name))
        if widths.get(name) != named:
            raise StartupError(
                f"{path} names {named} labels of {name!r}, the graph gives {widths.get(name, 'none')}; "
                "train the model again with `make models`"
            )
    return labels


def _parse(path: Path) -> Labels:
    try:
        return Labels.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} holds no labels ({error}); publish the model again") from error
