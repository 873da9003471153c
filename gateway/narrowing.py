"""Narrowing an answer by what the query itself demands, as far as it was surely read.

Intent and retrieval are asked at once. Where the query then turns out to hold conditions that an answer must
keep, retrieval is asked again with them as a filter, so that totals, facets and later pages keep them too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.gateway.v1.gateway_pb2 import ConstraintReport, Narrowing
from aisle.intent.v1.intent_pb2 import Understanding
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest, RetrieveResponse
from gateway.backends import Backends
from gateway.budget import Budget
from gateway.constraints import (
    APPLIED,
    INCOMPARABLE,
    NO_TIME,
    RELAXED,
    Decision,
    Fate,
    Policy,
    decide,
    joined_filter,
    meeting,
)
from gateway.degradation import StageFailure
from gateway.notes import Notes
from gateway.relative_prices import resolved
from runtime.serving import deadline

_GONE = "retrieval did not answer again in time"
_NOTHING_LEFT = "with it nothing was left"


@dataclass(frozen=True)
class Narrowed:
    """An answer of retrieval, None where there is none, and what became of the query's conditions."""

    retrieved: RetrieveResponse | None
    constraints: Sequence[ConstraintReport] = ()


class Narrower:
    """Asks retrieval again with what a query demands, at most three times."""

    def __init__(self, backends: Backends, budget: Budget, policy: Policy) -> None:
        self._backends = backends
        self._budget = budget
        self._policy = policy

    async def narrow(
        self,
        request: RetrieveRequest,
        retrieved: RetrieveResponse | None,
        understanding: Understanding | None,
        narrowing: Narrowing,
        notes: Notes,
    ) -> Narrowed:
        """Return `retrieved`, the answer to `request`, narrowed by what `understanding` demands.

        A query that goes on from an earlier one is first searched for as what it means by itself. What leaves
        nothing is relaxed, the least sure first. When retrieval does not answer again, the answer it gave
        stays, and says so.
        """
        if understanding is None:
            return Narrowed(retrieved)
        whole, found = request, retrieved
        if understanding.standalone_query and retrieved is not None:
            whole = _with(request, RetrieveRequest(query=understanding.standalone_query))
            found = await self._ask(whole, notes)
        if found is None:
            late = (Decision(each, NO_TIME, _GONE) for each in understanding.constraints)
            return Narrowed(retrieved, [each.report() for each in late])
        decisions = decide(
            resolved(understanding, found),
            found.candidates.products,
            callers_filter=request.filter,
            narrowing=narrowing,
            policy=self._policy,
        )
        kept, decisions = await self._apply(whole, found, decisions, notes)
        return Narrowed(kept, [each.report() for each in decisions])

    async def _apply(
        self, request: RetrieveRequest, found: RetrieveResponse, decisions: list[Decision], notes: Notes
    ) -> tuple[RetrieveResponse, list[Decision]]:
        applied = _applied(decisions)
        if not applied or _is_kept(found, applied):
            return found, decisions
        again, decisions = await self._filtered(request, found, decisions, notes)
        if not _left_nothing(found, again):
            return again, decisions
        decisions = _relaxed(found, decisions)
        if not _applied(decisions):
            return found, decisions
        again, decisions = await self._filtered(request, found, decisions, notes)
        if not _left_nothing(found, again):
            return again, decisions
        return found, [_turned(each, RELAXED, _NOTHING_LEFT) for each in decisions]

    async def _filtered(
        self, request: RetrieveRequest, found: RetrieveResponse, decisions: list[Decision], notes: Notes
    ) -> tuple[RetrieveResponse, list[Decision]]:
        """Return retrieval's answer with the applied conditions, or the one there is when none comes."""
        try:
            written = joined_filter(request.filter, _applied(decisions))
        except ValueError as error:
            return found, [_turned(each, INCOMPARABLE, str(error)) for each in decisions]
        # A total between bounds says that the caller asked for nothing that needs a closer one.
        narrowed = RetrieveRequest(filter=written, bounded_counts=not found.total.exact)
        again = await self._ask(_with(request, narrowed), notes)
        if again is None:
            return found, [_turned(each, NO_TIME, _GONE) for each in decisions]
        return again, decisions

    async def _ask(self, request: RetrieveRequest, notes: Notes) -> RetrieveResponse | None:
        seconds = self._budget.retrieval(deadline.remaining())
        try:
            with notes.clock.stage("narrowing"):
                answer = await self._backends.retrieve(request, seconds)
        except StageFailure as error:
            # The first answer was good, so nothing that failed here is the caller's fault.
            notes.missing(Stage.STAGE_BUDGET, error)
            return None
        notes.passed_on(answer.degraded)
        return answer


def _with(request: RetrieveRequest, changes: RetrieveRequest) -> RetrieveRequest:
    changed = RetrieveRequest()
    changed.CopyFrom(request)
    changed.MergeFrom(changes)
    return changed


def _applied(decisions: Sequence[Decision]) -> list[Decision]:
    return [each for each in decisions if each.fate == APPLIED]


def _turned(decision: Decision, fate: Fate, reason: str) -> Decision:
    return decision.turned(fate, reason) if decision.fate == APPLIED else decision


def _is_kept(found: RetrieveResponse, applied: Sequence[Decision]) -> bool:
    """Whether the answer keeps the conditions already: all that match are candidates, and meet them."""
    n = len(found.candidates.products.ids)
    return found.total.exact and found.total.value <= n and all(meeting(applied, n))


def _left_nothing(found: RetrieveResponse, narrowed: RetrieveResponse) -> bool:
    return found.total.value > 0 and narrowed.total.value == 0


def _relaxed(found: RetrieveResponse, decisions: Sequence[Decision]) -> list[Decision]:
    """Drop the least sure conditions until some match that was found meets the others; at least one goes."""
    matches = min(found.total.value, len(found.candidates.products.ids))
    n = len(found.candidates.products.ids)
    kept = sorted(_applied(decisions), key=lambda each: each.constraint.confidence, reverse=True)[:-1]
    while kept and not any(meeting(kept, n)[:matches]):
        kept.pop()
    return [each if each in kept else _turned(each, RELAXED, _NOTHING_LEFT) for each in decisions]
