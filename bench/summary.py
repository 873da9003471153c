"""The figures of a run, from all its samples."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.calls import SEARCH
from bench.load import Outcome, Plan

PERCENTILES = (("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9))
# A generator measures itself when it sends this late, and late by this share of the latencies it reports.
_DOUBTFUL_LAG_MS = 5.0
_DOUBTFUL_LAG_SHARE = 0.1


@dataclass(frozen=True)
class Summary:
    """One row of the table, of all requests due after the warm-up.

    A request without an answer counts as one that used its whole deadline: refusing quickly must not make
    percentiles look better.
    """

    kind: str  # search, recommend or events
    name: str  # of the rate, as in the figures' names
    rate: float  # calls per second that were asked for
    offered: float  # requests due per second
    achieved: float  # answers per second
    goodput: float  # whole answers inside the deadline per second: those that lack no stage
    degraded_goodput: float  # answers inside the deadline per second that lack one
    requests: int
    mean_ms: float
    latencies_ms: dict[str, float]  # by percentile, and "max"
    errors: dict[str, int]  # by gRPC status code
    errors_p99_ms: float | None  # how long requests without an answer took in truth
    shed_p99_ms: float | None  # how long refusals for overload took
    late: int  # answers that came after the deadline, which runs from the intended send time
    degraded: dict[str, float]  # share of answers by missing stage
    degraded_share: float  # share of answers that lacked any stage
    lag_p99_ms: float  # how late the generator itself was
    stages_p50_ms: dict[str, float]  # by stage, as answers tell

    @property
    def error_share(self) -> float:
        """Share of requests without an answer."""
        return sum(self.errors.values()) / self.requests

    @property
    def in_deadline_share(self) -> float:
        """Share of requests that were answered inside their deadline."""
        return 1 - self.error_share - self.late / self.requests

    @property
    def doubtful(self) -> bool:
        """Whether the generator was so late that it measured itself; latencies are then too high."""
        return self.lag_p99_ms > max(_DOUBTFUL_LAG_MS, _DOUBTFUL_LAG_SHARE * self.latencies_ms["p99"])


def summarise(name: str, rate: float, plan: Plan, outcome: Outcome, kind: str = SEARCH) -> Summary:
    """Return the figures of a run's calls of one kind; raises ValueError when it has no sample."""
    if not outcome.latencies:
        raise ValueError(
            f"no request ({kind}) was due after the warm-up; make the run longer or the rate higher"
        )
    taken = 1000 * np.array(outcome.latencies)
    codes = np.array(outcome.codes)
    answered, shed = codes == "OK", codes == "RESOURCE_EXHAUSTED"
    deadline = 1000 * plan.deadline_seconds
    counted = np.where(answered, taken, np.maximum(taken, deadline))
    answers, in_time = int(answered.sum()), answered & (taken <= deadline)
    whole = in_time & np.array([not stages for stages in outcome.degraded])
    late = answers - int(in_time.sum())
    lacking = Counter(stage for stages in outcome.degraded for stage in stages)
    asked_seconds = plan.measured_seconds if outcome.stopped_after is None else outcome.stopped_after
    seconds = max(asked_seconds, outcome.seconds)
    return Summary(
        kind=kind,
        name=name,
        rate=rate,
        offered=len(taken) / asked_seconds,
        achieved=answers / seconds,
        goodput=int(whole.sum()) / seconds,
        degraded_goodput=int((in_time & ~whole).sum()) / seconds,
        requests=len(taken),
        mean_ms=float(taken.mean()),
        latencies_ms={each: percentile(counted, at) for each, at in PERCENTILES}
        | {"max": float(counted.max())},
        errors={code: many for code, many in sorted(Counter(outcome.codes).items()) if code != "OK"},
        errors_p99_ms=None if answered.all() else percentile(taken[~answered], 99),
        shed_p99_ms=percentile(taken[shed], 99) if shed.any() else None,
        late=late,
        degraded={stage: many / answers for stage, many in sorted(lacking.items())},
        degraded_share=sum(map(bool, outcome.degraded)) / max(1, answers),
        lag_p99_ms=percentile(1000 * np.array(outcome.lags), 99),
        stages_p50_ms={stage: float(np.median(many)) * 1000 for stage, many in outcome.stages.items()},
    )


def percentile(samples: NDArray[np.float64], at: float) -> float:
    """Return the smallest sample that at least `at` percent of the samples (float64 [n]) don't exceed.

    The nearest rank: a latency that was measured, never one between two that were.
    """
    # Rounded first: 99.9 % of 10,000 is a little more than 9,990 in floating point.
    rank = max(1, math.ceil(round(at / 100 * len(samples), 6)))
    return float(np.partition(samples, rank - 1)[rank - 1])
