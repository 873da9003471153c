"""What is written down while an answer is made: models, what was left out, and where the time went."""

from collections.abc import Iterable, Sequence

from aisle.catalog.v1.arrangement_pb2 import AppliedRule
from aisle.catalog.v1.serving_pb2 import Degradation, ModelVersion, Stage, StageTime
from aisle.gateway.v1.gateway_pb2 import AnswerInfo
from gateway.degradation import degrade, note_strains
from runtime.observability.stages import StageClock
from runtime.serving import request_id


class Notes:
    """The notes of one request."""

    def __init__(self) -> None:
        self.clock = StageClock()
        self._models: list[ModelVersion] = []
        self._degraded: list[Degradation] = []
        self._rules: list[AppliedRule] = []

    def took_part(self, models: Iterable[ModelVersion], times: Iterable[StageTime]) -> None:
        """Add the models, each once however often it is asked, and the stage times that a service reports."""
        self._models += [model for model in models if model not in self._models]
        self.clock.include(list(times))

    def missing(self, stage: "Stage.ValueType", error: BaseException, *, spared: bool = False) -> None:
        """Note that the answer goes on without `stage` because of `error`, and count it.

        `spared`: the stage is one to be left out when much is asked, and is no reason to refuse callers.
        """
        self._degraded.append(degrade(stage, error, spared=spared))

    def passed_on(self, degraded: Sequence[Degradation]) -> None:
        """Add what a service left out, once; it has counted that in its own metrics already."""
        noted = {each.stage for each in self._degraded}
        self._degraded.extend(each for each in degraded if each.stage not in noted)
        note_strains(degraded)

    def rules(self, applied: Iterable[AppliedRule]) -> None:
        """Add the merchandising rules that met the request."""
        self._rules.extend(applied)

    def info(self) -> AnswerInfo:
        """Return the notes as the caller reads them."""
        return AnswerInfo(
            request_id=request_id.current(),
            models=self._models,
            degraded=self._degraded,
            stages=self.clock.times,
            rules=self._rules,
        )
