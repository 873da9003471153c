"""The labels of an intent model: what the numbers of its outputs stand for."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runtime.inference.store import StoredModel
from runtime.settings import StartupError

FILENAME = "labels.json"


class Labels(BaseModel):
    """The names of the columns of each output, and the lexicon of attribute values.

    `slots` are the BIO tags (Ramshaw & Marcus 1995): "O", then "B-<key>" for the first token of a value and
    "I-<key>" for those that go on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: list[str] = Field(min_length=1)
    category: list[str] = Field(min_length=1)
    slots: list[str] = Field(min_length=3)
    lexicon: dict[str, dict[str, str]]

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
    for name in ("intent", "category", "slots"):
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
