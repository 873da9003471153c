"""Where the time of a load went, from two readings of the processes' /metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.scrape import Page, Snapshot

# In the order of a picture: from the wire inwards.
STAGES = ("network", "gateway", "tokenise", "queue", "infer", "intent", "retrieval", "ranking")
_GATEWAY = "aisle.gateway.v1.GatewayService"
_SERVICES = {
    "intent": "aisle.intent.v1.IntentService",
    "retrieval": "aisle.retrieval.v1.RetrievalService",
    "ranking": "aisle.ranking.v1.RankingService",
}
_PHASES = {"tokenise": "tokenize", "queue": "queue", "infer": "infer"}
# What a service spends around its model, which the phases tell by themselves.
_AROUND_MODELS = {"intent": "intent/model", "retrieval": "retrieval/encode", "ranking": "ranking/model"}


@dataclass(frozen=True)
class Watched:
    """What the processes told of a load, for each call the gateway ended."""

    calls: float  # ended by the gateway between the readings
    seconds: float  # between the readings
    cpu_ms: dict[str, float]  # CPU milliseconds by process
    stages_ms: dict[str, float]  # mean milliseconds of work by stage
    degraded: dict[str, float]  # share of calls by stage and reason
    shed: dict[str, float]  # pieces of work by process and reason, for each call


def split(before: Snapshot, after: Snapshot, mean_latency_ms: float) -> Watched | None:
    """Return where the time went between two readings; None when no gateway was read or it ended no call.

    `mean_latency_ms` is what the client saw, so that what is left beside the gateway's handling is the
    network's and the client's. Stages that run beside each other (intent and retrieval) both count, so the
    sum may exceed the latency.
    """
    change = {
        name: _Change(page, after.pages[name]) for name, page in before.pages.items() if name in after.pages
    }
    gateway = change.get("gateway")
    calls = gateway.of("grpc_server_handling_seconds_count", grpc_service=_GATEWAY) if gateway else 0.0
    if gateway is None or calls <= 0:
        return None
    return Watched(
        calls=calls,
        seconds=after.at - before.at,
        cpu_ms={name: 1000 * each.of("process_cpu_seconds_total") / calls for name, each in change.items()},
        stages_ms={
            stage: max(0.0, 1000 * seconds / calls)
            for stage, seconds in _stages(change, gateway, calls, mean_latency_ms / 1000).items()
        },
        degraded={key: many / calls for key, many in gateway.by("aisle_degraded_total").items()},
        shed={
            f"{name} {key}": many / calls
            for name, each in change.items()
            for key, many in each.by("aisle_shed_total").items()
        },
    )


def _stages(
    change: Mapping[str, "_Change"], gateway: "_Change", calls: float, mean_latency: float
) -> dict[str, float]:
    handling = gateway.of("grpc_server_handling_seconds_sum", grpc_service=_GATEWAY)
    awaited = {
        stage: gateway.of("aisle_stage_seconds_sum", stage=stage)
        for stage in ("profile", "intent", "retrieval", "ranking", "products")
    }
    # The gateway asks intent and retrieval at once and waits for the slower.
    waiting = max(awaited.pop("intent"), awaited.pop("retrieval")) + sum(awaited.values())
    found = {"network": mean_latency * calls - handling, "gateway": handling - waiting}
    for stage, phase in _PHASES.items():
        found[stage] = sum(each.of("aisle_model_seconds_sum", phase=phase) for each in change.values())
    for name, service in _SERVICES.items():
        if name in change:
            inside = change[name].of("grpc_server_handling_seconds_sum", grpc_service=service)
            found[name] = inside - change[name].of("aisle_stage_seconds_sum", stage=_AROUND_MODELS[name])
    return found


class _Change:
    """How much one process's counters grew; one that started anew grew from zero."""

    def __init__(self, before: Page, after: Page) -> None:
        self._before, self._after = before, after

    def of(self, name: str, **labels: str) -> float:
        now = self._after.total(name, **labels)
        grown = now - self._before.total(name, **labels)
        return now if grown < 0 else grown

    def by(self, name: str) -> dict[str, float]:
        kinds = [labels for sample, labels, _ in self._after.samples if sample == name]
        grown = {" ".join(labels.values()): self.of(name, **labels) for labels in kinds}
        return {key: value for key, value in grown.items() if value > 0}
