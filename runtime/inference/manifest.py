"""The manifest of a published model: what it is, what it was trained on, and what was measured of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["fp32", "int8", "fp16"]
FILENAME = "manifest.json"


class ModelFile(BaseModel):
    """A file of a published model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Tensor(BaseModel):
    """An input or output of the graph; None is a dimension free at run time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    dtype: str
    shape: list[int | None]


class Manifest(BaseModel):
    """Everything a server needs to know to serve a model, and a person to trust it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_-]*$")
    version: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")
    created: str = Field(description="UTC instant of publishing, ISO 8601")
    graphs: dict[Precision, str] = Field(description="file of the graph of each precision", min_length=1)
    files: dict[str, ModelFile] = Field(description="every file of the version but this one")
    inputs: list[Tensor]
    outputs: list[Tensor]
    base: str = Field("", description="base weights it was fine-tuned from")
    recipe: dict[str, str] = Field(default_factory=dict, description="training settings, as text")
    fingerprint: str = Field("", description="hash of recipe, data and code, to know a repeated training by")
    training_data: list[str] = Field(default_factory=list, description="data sets and their licences")
    evaluation: dict[str, float] = Field(default_factory=dict, description="figures on held-out data")
    parity: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="figures against the framework, by precision"
    )
    forced: str = Field("", description="why it was published although it is worse than the one before")
    embedding_space: str = Field("", description="space of the embeddings; index and queries must share it")
    dimension: int = Field(0, ge=0, description="width of the embeddings, 0 when the model makes none")
    query_prefix: str = ""
    passage_prefix: str = ""
    max_tokens: int = Field(0, ge=0, description="tokens a text is cut to, 0 when the model reads no text")
