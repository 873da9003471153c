"""Settings of the retrieval service."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from runtime.inference.session import InferenceSettings
from runtime.serving.server import ServerSettings
from services.retrieval.words.synonyms import SHIPPED


def _none_if_empty(path: object) -> object:
    return path or None


class RetrievalSettings(ServerSettings, InferenceSettings):
    """Settings of the process that owns the catalogue."""

    port: int = Field(50052, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(9102, ge=0, le=65535, description="port of /metrics; 0 takes a free one")
    state: Path = Field(Path("state/catalog"), description="folder of the catalogue's durable record")
    dense_budget_seconds: float = Field(
        0.1, gt=0, le=60, description="seconds for encoding a query; later ones are answered by words alone"
    )
    remembered_queries: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="latest queries whose embedding and answer are kept, about 30 kB each, an answer until "
        "the catalogue changes; 0 keeps none",
    )
    search_threads: int = Field(2, ge=1, le=256, description="searches that run at once")
    reembed: bool = Field(
        False,
        description="before serving, compute all embeddings anew when the record's are of another model than "
        "the store's current one; without it that model's generation is built while the old one serves",
    )
    milvus_uri: str = Field(
        "",
        pattern="^$|^https?://.+",
        description="Milvus server that keeps the record, such as http://milvus:19530; "
        "empty for a Milvus Lite folder under --state",
    )
    milvus_token: SecretStr | None = Field(None, description="user:password or API key of that server")
    search: Literal["in-process", "milvus"] = Field(
        "in-process",
        description="what searches: this process over all it has read, or Milvus, for a catalogue that one "
        "process cannot hold (Milvus 2.5 or later; before 2.4 it searches by meaning alone)",
    )
    synonyms: Annotated[Path | None, BeforeValidator(_none_if_empty)] = Field(
        SHIPPED,
        description="file of synonyms, read at start: `a, b, c` or one-way `a => b, c`, one group a line; "
        "empty for none",
    )
    queries: Path | None = Field(
        None, description="file of past queries to suggest: a query, a tab and its count, one a line"
    )
