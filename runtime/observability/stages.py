"""Where the time of one request goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from aisle.catalog.v1.serving_pb2 import StageTime
from runtime.observability.metrics import STAGE_SECONDS

_by_stage = cache(STAGE_SECONDS.labels)  # finding a metric by its label costs as much as counting


class StageClock:
    """Times the stages of one request, for its answer and for `aisle_stage_seconds`."""

    def __init__(self) -> None:
        self.times: list[StageTime] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as stage `name`, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.record(name, time.perf_counter() - start)

    def record(self, name: str, seconds: float) -> None:
        """Note that stage `name` took `seconds`."""
        _by_stage(name).observe(seconds)
        self.times.append(StageTime(stage=name, seconds=seconds))

    def include(self, times: "list[StageTime]") -> None:
        """Add what another service measured; it has counted these in its own metrics already."""
        self.times.extend(times)
