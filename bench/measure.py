"""One measurement: a load on one gateway, and what came of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from bench import arrivals, histogram, load, priority, processes, scrape, watch
from bench.calls import KINDS
from bench.mixes import Mix
from bench.summary import Summary, summarise

MOST_REQUESTS = 100_000


@dataclass(frozen=True)
class Target:
    """A gateway under load: connected to, asked by a mix, and watched at these /metrics by process name."""

    gateway: str
    stubs: Sequence[GatewayServiceStub]
    mix: Mix
    metrics: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    """How a gateway is loaded; seconds, and milliseconds where the name says so."""

    duration: float
    warmup: float
    deadline_ms: float
    seed: int
    processes: int = 1
    connections: int = 1
    recording: Path | None = None  # arrivals as they once were, in place of a Poisson process


@dataclass(frozen=True)
class Measured:
    """What one load at one rate showed."""

    rows: list[Summary]  # one for each kind of call
    models: dict[str, str]  # versions by name
    histograms: dict[str, str]  # encoded latencies by "<kind>/<rate's name>"
    watched: watch.Watched | None
    stopped: bool

    @property
    def doubtful(self) -> bool:
        """Whether the load generator was so late that it measured itself."""
        return any(row.doubtful for row in self.rows)


@dataclass
class Stop:
    """Whether the run was asked to end early: what was measured so far is still reported."""

    asked: bool = field(default=False)

    def set(self) -> None:
        """Ask it to end."""
        self.asked = True

    def __call__(self) -> bool:
        return self.asked


def require_bounded(settings: Load, rates: Sequence[float]) -> None:
    """Raise ValueError when a rate means more requests than one run may send."""
    seconds = settings.warmup + settings.duration
    for rate in rates:
        if rate * seconds > MOST_REQUESTS:
            raise ValueError(
                f"{rate:g}/s for {seconds:g} s is more than {MOST_REQUESTS:,} requests; ask for less"
            )


async def measure(target: Target, settings: Load, name: str, rate: float, stop: Stop) -> Measured:
    """Load a gateway at `rate` calls a second; raises ValueError when the load is too large or empty."""
    plan = _plan(target.mix, settings, rate)
    sending = tqdm(total=len(plan.due), desc=f"{name} {rate:.1f}/s", unit="req", disable=None)
    with sending as bar, priority.ahead():
        outcomes, before = await _carry_out(target, settings, plan, bar.update, stop)
    latencies = [each for outcome in outcomes.values() for each in outcome.latencies]
    watched = None
    if before is not None and latencies:
        after = await scrape.snapshot(target.metrics)
        watched = watch.split(before, after, 1000 * float(np.mean(latencies)))
    return Measured(
        rows=[
            summarise(name, rate * target.mix.share(kind), plan, outcomes[kind], kind)
            for kind in KINDS
            if kind in outcomes and (outcomes[kind].latencies or not stop())
        ],
        models={model: version for each in outcomes.values() for model, version in each.models.items()},
        histograms={
            f"{kind}/{name}": histogram.encoded(histogram.of(outcome.latencies))
            for kind, outcome in outcomes.items()
        },
        watched=watched,
        stopped=stop(),
    )


def recorded_rate(settings: Load) -> float:
    """Return the mean rate of the recorded arrivals, in calls a second; raises ValueError."""
    assert settings.recording is not None
    due = arrivals.recorded(settings.recording, settings.warmup + settings.duration)
    return len(due) / max(1e-9, min(settings.warmup + settings.duration, float(due[-1])))


def _plan(mix: Mix, settings: Load, rate: float) -> load.Plan:
    require_bounded(settings, [rate])
    seconds = settings.warmup + settings.duration
    if settings.recording is None:
        due = arrivals.poisson(rate, seconds, settings.seed)
    else:
        due = arrivals.recorded(settings.recording, seconds)[:MOST_REQUESTS]
        seconds = min(seconds, float(due[-1]) + 1 / rate)
    return load.Plan(
        due=due,
        calls=mix.calls(len(due)),
        warm_up_seconds=settings.warmup,
        measured_seconds=max(1e-3, seconds - settings.warmup),
        deadline_seconds=settings.deadline_ms / 1000,
    )


async def _carry_out(
    target: Target, settings: Load, plan: load.Plan, progress: Callable[[int], object], stop: Stop
) -> tuple[dict[str, load.Outcome], scrape.Snapshot | None]:
    readings: list[asyncio.Task[scrape.Snapshot]] = []

    def started() -> None:
        if target.metrics:
            readings.append(asyncio.create_task(_read_after(settings.warmup, target.metrics)))

    if settings.processes == 1:
        started()
        outcomes = await load.run(target.stubs, plan, lambda: progress(1), stop)
    else:
        generator = processes.Generator(target.gateway, settings.processes, settings.connections)
        outcomes = await processes.run(generator, plan, started, stop)
        progress(len(plan.due))
    if readings and not readings[0].done():
        readings[0].cancel()  # stopped during the warm-up
        return outcomes, None
    return outcomes, readings[0].result() if readings else None


async def _read_after(seconds: float, metrics: Mapping[str, str]) -> scrape.Snapshot:
    await asyncio.sleep(seconds)
    return await scrape.snapshot(metrics)
