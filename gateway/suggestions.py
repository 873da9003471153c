"""Suggestions as one types: retrieval's, or none when it is late or gone."""

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.gateway.v1.gateway_pb2 import SuggestRequest, SuggestResponse
from aisle.retrieval.v1 import retrieval_pb2
from gateway.backends import Backends
from gateway.budget import Budget
from gateway.degradation import StageFailure, raise_callers_fault
from gateway.notes import Notes
from gateway.validation import check_prefix
from runtime.serving import deadline
from runtime.serving.errors import Violations

MOST_SUGGESTIONS = 20
_LANGUAGES = ("", "zh", "en")


async def suggest(backends: Backends, budget: Budget, request: SuggestRequest) -> SuggestResponse:
    """Answer with suggestions inside the deadline; raises InvalidArgument naming every wrong field."""
    _check(request)
    notes = Notes()
    asked = retrieval_pb2.SuggestRequest(
        prefix=request.prefix, limit=request.limit, language=request.language
    )
    try:
        with notes.clock.stage("suggest"):
            answer = await backends.suggest(asked, budget.retrieval(deadline.remaining()))
    except StageFailure as error:
        raise_callers_fault(error, "retrieval")
        notes.missing(Stage.STAGE_RETRIEVAL, error)
        return SuggestResponse(info=notes.info())
    return SuggestResponse(suggestions=answer.suggestions, info=notes.info())


def _check(request: SuggestRequest) -> None:
    violations = Violations()
    check_prefix(violations, "prefix", request.prefix)
    if not 0 <= request.limit <= MOST_SUGGESTIONS:
        violations.add("limit", f"must be 1 to {MOST_SUGGESTIONS}, or 0 for 8, got {request.limit}")
    if request.language not in _LANGUAGES:
        violations.add("language", f"must be zh, en or empty, got {request.language[:16]!r}")
    violations.raise_if_any()
