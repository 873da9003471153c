"""Errors a caller can act on: each becomes a google.rpc.Status with details.

AisleError
 ├─ InvalidArgument      INVALID_ARGUMENT     BadRequest naming each field
 ├─ NotFound             NOT_FOUND
 ├─ FailedPrecondition   FAILED_PRECONDITION
 ├─ Overloaded           RESOURCE_EXHAUSTED   RetryInfo
 ├─ DeadlineExceeded     DEADLINE_EXCEEDED
 └─ Unavailable          UNAVAILABLE          RetryInfo
"""

from collections.abc import Mapping
from typing import Any, cast

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status


class AisleError(Exception):
    """An error with a gRPC code and details; its text goes to the caller."""

    code = grpc.StatusCode.INTERNAL

    def details(self) -> list[message.Message]:
        """Return the google.rpc detail messages of this error."""
        return []


class InvalidArgument(AisleError):
    """The request is wrong: `fields` maps each field's path to what it must be."""

    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in fields.items()))
        self.fields = dict(fields)

    def details(self) -> list[message.Message]:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=reason)
            for field, reason in self.fields.items()
        ]
        return [error_details_pb2.BadRequest(field_violations=violations)]


class NotFound(AisleError):
    """What was asked for by id does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class FailedPrecondition(AisleError):
    """The system is not in the state this call needs."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class DeadlineExceeded(AisleError):
    """The answer would come too late."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class _Retryable(AisleError):
    def __init__(self, reason: str, retry_seconds: float = 0.1) -> None:
        super().__init__(reason)
        self.retry_seconds = retry_seconds

    def details(self) -> list[message.Message]:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(self.retry_seconds * 1e9))
        return [error_details_pb2.RetryInfo(retry_delay=delay)]


class Overloaded(_Retryable):
    """More work is waiting than can be done in time; try again after `retry_seconds`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(_Retryable):
    """Something this call needs is gone and nothing can stand in for it."""

    code = grpc.StatusCode.UNAVAILABLE


class Violations:
    """Collects what is wrong with a request, so that the caller hears of every field at once."""

    _MOST = 20

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def add(self, field: str, reason: str) -> None:
        """Note that `field` must be as `reason` says; the first reason for a field stands."""
        if len(self._fields) < self._MOST:
            self._fields.setdefault(field, reason)

    def raise_if_any(self) -> None:
        """Raise InvalidArgument when anything was noted."""
        if self._fields:
            raise InvalidArgument(self._fields)


def to_status(error: AisleError) -> grpc.Status:
    """Return the error as a status that `ServicerContext.abort_with_status` takes."""
    packed = []
    for detail in error.details():
        holder = any_pb2.Any()
        holder.Pack(detail)
        packed.append(holder)
    status = status_pb2.Status(code=error.code.value[0], message=str(error), details=packed)
    return rpc_status.to_status(status)


def from_rpc_error(error: grpc.aio.AioRpcError, service: str) -> AisleError:
    """Return a backend's error as ours, so that a gateway can pass it on with its details."""
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidArgument(_violations_of(error) or {"request": text})
    kinds: dict[grpc.StatusCode, type[AisleError]] = {
        kind.code: kind for kind in (NotFound, FailedPrecondition, DeadlineExceeded, Overloaded)
    }
    kind = kinds.get(code, Unavailable)
    return kind(f"{service}: {text}" if text else f"{service} answered {code.name}")


def _violations_of(error: grpc.aio.AioRpcError) -> dict[str, str]:
    status = rpc_status.from_call(cast(Any, error))
    fields: dict[str, str] = {}
    for detail in status.details if status else ():
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            fields |= {violation.field: violation.description for violation in bad.field_violations}
    return fields
