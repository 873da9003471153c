"""The figures of a run, from all its samples."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bench.load import Outcome

PERCENTILES = (("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9))
# A generator that sends this much later than it meant to measures itself.
DOUBTFUL_LAG_SECONDS = 0.005


@dataclass(frozen=True)
class Summary:
    """One row of the table: latencies in milliseconds of all requests due after the warm-up."""

    offered: float  # requests due per second
    achieved: float  # answers per second
    requests: int
    latencies: dict[str, float]
    errors: dict[str, int]
    degraded: dict[str, float]  # share of answers by missing stage
    lag_p99: float
    stages: dict[str, float] = field(default_factory=dict)  # p50 by stage, milliseconds

    @property
    def error_share(self) -> float:
        """Share of requests without an answer."""
        return sum(self.errors.values()) / self.requests

    @property
    def doubtful(self) -> bool:
        """Whether the load generator itself was late."""
        return self.lag_p99 > 1000 * DOUBTFUL_LAG_SECONDS


def summarise(outcome: Outcome, seconds: float) -> Summary:
    """Return the figures of a run whose requests were due over `seconds` after the warm-up.

    Raises ValueError when there is no sample.
    """
    if not outcome.latencies:
        raise ValueError("no request was due after the warm-up; make the run longer or the rate higher")
    milliseconds = 1000 * np.array(outcome.latencies)
    answered = outcome.codes.count("OK")
    lacking = Counter(stage for stages in outcome.degraded for stage in stages)
    return Summary(
        offered=len(milliseconds) / seconds,
        achieved=answered / max(seconds, outcome.seconds),
        requests=len(milliseconds),
        latencies={name: float(np.percentile(milliseconds, at)) for name, at in PERCENTILES}
        | {"max": float(milliseconds.max())},
        errors={code: many for code, many in sorted(Counter(outcome.codes).items()) if code != "OK"},
        degraded={stage: many / max(1, answered) for stage, many in sorted(lacking.items())},
        lag_p99=float(np.percentile(1000 * np.array(outcome.lags), 99)),
        stages={name: float(np.median(values)) * 1000 for name, values in outcome.stages.items()},
    )
