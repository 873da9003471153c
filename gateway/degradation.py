"""Why a stage is missing from an answer: a fixed vocabulary for metrics, and words for an operator."""

from collections.abc import Iterable
from typing import Literal

import grpc

from aisle.catalog.v1.serving_pb2 import Degradation, Stage
from runtime.observability.logs import get_logger
from runtime.observability.metrics import DEGRADED
from runtime.serving.admission import note_strain
from runtime.serving.errors import AisleError, DeadlineExceeded, from_rpc_error

logger = get_logger(__name__)

Reason = Literal["late", "unavailable", "overloaded", "error"]

_WORDS: dict[Reason, str] = {
    "late": "no answer came in its share of the time",
    "unavailable": "it is gone, silent or not ready yet",
    "overloaded": "it refused because too much was waiting",
    "error": "it failed; its log tells why under this request id",
}
_REASONS: dict[grpc.StatusCode, Reason] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
}

# Signs that more is asked than can be done in time.
_STRAINS: tuple[Reason, ...] = ("late", "overloaded")

# What a call to another service or store raises when the gateway goes on without it.
StageFailure = (grpc.aio.AioRpcError, AisleError, TimeoutError)


def reason_of(error: BaseException) -> Reason:
    """Return why a stage is missing, from the error it ended with."""
    if isinstance(error, TimeoutError | DeadlineExceeded):
        return "late"
    code = _code_of(error)
    return _REASONS.get(code, "error") if code else "error"


def degrade(stage: "Stage.ValueType", error: BaseException, *, spared: bool = False) -> Degradation:
    """Count and log that `stage` is missing because of `error`; return what the caller is told.

    It is noted as a strain, for which fewer calls are let in, unless the stage was `spared`.
    """
    name = Stage.Name(stage).removeprefix("STAGE_").lower()
    reason = reason_of(error)
    if reason in _STRAINS and not spared:
        note_strain()
    DEGRADED.labels(name, reason).inc()
    logger.info("degraded", stage=name, reason=reason, error=_text_of(error))
    return Degradation(stage=stage, reason=f"{reason}: {_WORDS[reason]}")


def note_strains(degraded: Iterable[Degradation]) -> None:
    """Note what a service left out of its own answer for want of time."""
    if any(each.reason.startswith(_STRAINS) for each in degraded):
        note_strain()


def raise_callers_fault(error: BaseException, service: str) -> None:
    """Raise `error` in our terms when `service` refused what the caller sent: no fallback mends that."""
    if _code_of(error) not in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
        return
    raise from_rpc_error(error, service) if isinstance(error, grpc.aio.AioRpcError) else error


def _code_of(error: BaseException) -> grpc.StatusCode | None:
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code()
    return error.code if isinstance(error, AisleError) else None


def _text_of(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
