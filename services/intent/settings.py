"""Settings of the intent process."""

from pydantic import Field

from runtime.inference.session import InferenceSettings
from runtime.serving.server import ServerSettings


class IntentSettings(ServerSettings, InferenceSettings):
    """Settings of the process that understands queries."""

    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(9101, ge=0, le=65535, description="port of /metrics; 0 takes a free one")
    remembered_queries: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="latest queries whose reading is kept, about 3 kB each, 5 with embeddings; 0 keeps none",
    )
