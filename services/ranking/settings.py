"""Settings of the ranking process."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from aisle.ranking.v1.ranking_pb2 import Surface
from runtime.inference.session import InferenceSettings
from runtime.serving.server import ServerSettings
from services.ranking.arrangement.policy import Arrangement, Diversity
from services.ranking.cross_encoder import MOST_READ
from services.ranking.policy import SurfacePolicy

# On the demo shop's validation users an eighth more categories among the first ten, and as many clicks.
_VARIED = Arrangement(diversity=Diversity(strength=0.3))


class RankingSettings(ServerSettings, InferenceSettings):
    """Flags such as `--search.click 0.5`, environment such as `AISLE_SEARCH__CLICK`."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", nested_model_default_partial_update=True)

    port: int = Field(50053, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(9103, ge=0, le=65535, description="port of /metrics; 0 takes a free one")
    model: Literal["ranker", "ranker-fused", "ranker-linear", "ranker-lambdamart"] = Field(
        "ranker", description="the published model that orders: the ranker, or a baseline to compare it with"
    )
    rerank: int = Field(
        0, ge=0, le=MOST_READ, description="most hits of a request that a cross-encoder reads; 0 loads none"
    )
    rates: Path | None = Field(None, description='JSON file of exchange rates: {"CNY": 1, "USD": 7.1}')
    search: SurfacePolicy = Field(SurfacePolicy(), description="a page of search results")
    home: SurfacePolicy = Field(
        SurfacePolicy(
            fused=0.5,
            relevance=0.0,
            click=1.0,
            conversion=0.5,
            arrangement=_VARIED,
        ),
        description="recommendations for a user",
    )
    similar: SurfacePolicy = Field(
        SurfacePolicy(fused=1.0, relevance=0.0, click=0.5, conversion=0.2),
        description="products similar to one product",
    )
    bought_together: SurfacePolicy = Field(
        SurfacePolicy(fused=1.0, relevance=0.0, click=0.3, conversion=0.5, arrangement=_VARIED),
        description="products that go with one product",
    )
    new: SurfacePolicy = Field(
        SurfacePolicy(fused=0.5, relevance=0.0, click=1.0, conversion=0.2, arrangement=_VARIED),
        description="new products for a user",
    )
    across: SurfacePolicy = Field(
        SurfacePolicy(fused=0.5, relevance=0.0, click=1.0, conversion=0.2, arrangement=_VARIED),
        description="recommendations from other categories than those of the user's history",
    )
    rules: Path | None = Field(None, description="file of merchandising rules; none without it")
    rules_seconds: float = Field(
        5.0, gt=0, description="seconds between looks at the file of rules; SIGHUP reads it at once"
    )
    request_log: Path | None = Field(
        None, description="file in which the latest requests are kept to be replayed; none without it"
    )
    request_log_most: int = Field(1000, ge=1, description="number of requests that it keeps")

    def policy(self, surface: "Surface.ValueType") -> SurfacePolicy:
        """Return the policy of a surface; an unspecified one is search."""
        by_surface = {
            Surface.SURFACE_HOME: self.home,
            Surface.SURFACE_SIMILAR: self.similar,
            Surface.SURFACE_BOUGHT_TOGETHER: self.bought_together,
            Surface.SURFACE_NEW: self.new,
            Surface.SURFACE_ACROSS: self.across,
        }
        return by_surface.get(surface, self.search)
