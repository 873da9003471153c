"""Settings of the gateway process."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from gateway.budget import Budget
from gateway.constraints import Policy
from runtime.money import read_rates
from runtime.serving.server import ServerSettings


class GatewaySettings(ServerSettings):
    """Flags such as `--intent-target host:port`, environment such as `AISLE_INTENT_TARGET`."""

    port: int = Field(50050, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(9100, ge=0, le=65535, description="port of /metrics; 0 takes a free one")
    # A call that a service behind the gateway refuses costs the answer a stage: the gateway refuses first.
    min_concurrent_rpcs: int = Field(
        4, ge=1, description="calls of a method served at once however slow they become"
    )
    intent_target: str = Field("127.0.0.1:50051", min_length=1, description="address of the intent service")
    retrieval_target: str = Field(
        "127.0.0.1:50052", min_length=1, description="address of the retrieval service"
    )
    ranking_target: str = Field("127.0.0.1:50053", min_length=1, description="address of the ranking service")
    encoder_pass: Literal["separate", "shared"] = Field(
        "separate",
        description="separate: intent and retrieval are asked at once, each by its own pass; shared: intent "
        "first, whose pass makes the embedding that retrieval searches with, where its model can",
    )
    state: Path = Field(Path("state/catalog"), description="folder of events.db")
    candidates: int = Field(200, ge=1, le=1000, description="candidates retrieved and ranked for an answer")
    popular_products: int = Field(
        200, ge=1, le=1000, description="popular products kept for when retrieval is gone"
    )
    popular_refresh_seconds: float = Field(
        30.0, gt=0, description="seconds between refreshes of the popular products"
    )
    reserve_seconds: float = Field(0.005, ge=0, description="seconds kept back from every stage to answer in")
    profile_seconds: float = Field(0.05, gt=0, description="most seconds for reading the user's profile")
    intent_seconds: float = Field(0.5, gt=0, description="most seconds to wait for the intent service")
    retrieval_seconds: float = Field(1.5, gt=0, description="most seconds to wait for candidates")
    ranking_seconds: float = Field(0.5, gt=0, description="most seconds to wait for the ranking service")
    rerank: int = Field(
        0,
        ge=0,
        le=100,
        description="first hits of a search that a cross-encoder reads and orders; 0 for none",
    )
    reranking_seconds: float = Field(0.5, gt=0, description="most seconds to wait for the cross-encoder")
    reranking_least_seconds: float = Field(
        0.1, ge=0, description="the cross-encoder is passed over when its share of the time left is less"
    )

    review_batch: int = Field(
        32, ge=0, le=256, description="recorded reviews judged at once in the background; 0 judges none"
    )
    review_poll_seconds: float = Field(
        5.0, gt=0, description="seconds between looks for reviews that another process recorded or judged"
    )
    narrowing_confidence: float = Field(
        0.8, ge=0, le=1, description="least confidence of a query's condition that narrows the answer"
    )
    narrowing_keys: frozenset[str] = Field(
        frozenset({"brand", "size"}),
        description="keys of wanted values that narrow; other keys only order",
    )
    rates: Path | None = Field(None, description='JSON file of exchange rates: {"CNY": 1, "USD": 7.1}')

    def policy(self) -> Policy:
        """Return which of a query's conditions narrow; raises StartupError when the rates cannot be read."""
        return Policy(self.narrowing_confidence, self.narrowing_keys, read_rates(self.rates))

    def budget(self) -> Budget:
        """Return how the time of a request is divided."""
        return Budget(
            reserve_seconds=self.reserve_seconds,
            profile_seconds=self.profile_seconds,
            intent_seconds=self.intent_seconds,
            retrieval_seconds=self.retrieval_seconds,
            ranking_seconds=self.ranking_seconds,
            reranking_seconds=self.reranking_seconds,
            reranking_least_seconds=self.reranking_least_seconds,
        )
