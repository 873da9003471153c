"""What a query means that goes on from an earlier one of the session."""

from collections.abc import Sequence
from dataclasses import dataclass

from aisle.intent.v1.intent_pb2 import Constraint, Slot, Understanding
from services.intent.constraints import CONTEXT, EQUAL, NOT_EQUAL, RULE, as_bounds
from services.intent.follow_ups import FollowUp, from_earlier, joined, read_follow_up
from services.intent.language import language
from services.intent.lexicon import Lexicon

_SAID = 0.95  # confidence in a known value that a query says of what came before
_MOST_CHARACTERS = 512


@dataclass(frozen=True)
class Context:
    """The earlier query that is gone on from, and what was changed of it since."""

    query: str
    changes: FollowUp


def find_context(query: str, recent: Sequence[str], lexicon: Lexicon) -> Context | None:
    """Return what `query` goes on from; None when it stands by itself or nothing came before.

    `recent` are the session's queries, newest first. Those that go on themselves are followed back to the
    one they started from: headphones → "in red" → "cheaper ones".
    """
    changes = read_follow_up(query, lexicon) if recent else None
    if changes is None:
        return None
    for earlier in recent:
        between = read_follow_up(earlier, lexicon)
        if between is None:
            return Context(earlier, changes)
        if earlier != query:
            changes = joined(between, changes)
    return None


def carry_over(query: str, context: Context, base: Understanding) -> Understanding:
    """Return the understanding of `query`: that of `context.query`, `base`, with the changes made since.

    What comes from earlier has no place in the query. Where another colour is wished for, the one wanted
    before is excluded.
    """
    changes = context.changes
    kept = [slot for slot in base.slots if changes.keeps(slot.key, slot.value, negated=slot.negated)]
    carried = [each for each in base.constraints if _still_counts(each, changes)]
    different = [
        Constraint(key=slot.key, operator=NOT_EQUAL, value=slot.value, confidence=_SAID, source=CONTEXT)
        for slot in base.slots
        if slot.key in changes.others - frozenset(changes.wanted) and not slot.negated
    ]
    understanding = Understanding(
        intents=base.intents,
        categories=base.categories,
        slots=[*_said(changes), *map(_without_place, kept), *map(_as_slot, different)],
        language=language(query),
        constraints=[*_named(changes), *map(from_earlier, carried), *different],
        standalone_query=_standalone(context, base),
    )
    _set_price(understanding, changes, base)
    return understanding


def _still_counts(each: Constraint, changes: FollowUp) -> bool:
    return changes.keeps(each.key, each.value, negated=each.operator == NOT_EQUAL)


def _said(changes: FollowUp) -> list[Slot]:
    wanted = [
        Slot(key=key, value=each.value, confidence=_SAID, start=each.start, end=each.end)
        for key, each in changes.wanted.items()
    ]
    return wanted + [
        Slot(
            key=each.key,
            value=each.value,
            confidence=each.confidence,
            start=each.start,
            end=each.end,
            negated=True,
        )
        for each in changes.constraints
        if each.operator == NOT_EQUAL and each.key
    ]


def _named(changes: FollowUp) -> list[Constraint]:
    wanted = [
        Constraint(
            key=key, operator=EQUAL, value=each.value, confidence=_SAID, start=each.start, end=each.end,
            source=RULE if each.end else CONTEXT,
        )
        for key, each in changes.wanted.items()
    ]  # fmt: skip
    return sorted([*changes.constraints, *wanted], key=lambda each: (not each.end, each.start))


def _as_slot(excluded: Constraint) -> Slot:
    return Slot(key=excluded.key, value=excluded.value, confidence=excluded.confidence, negated=True)


def _without_place(slot: Slot) -> Slot:
    return Slot(key=slot.key, value=slot.value, confidence=slot.confidence, negated=slot.negated)


def _set_price(understanding: Understanding, changes: FollowUp, base: Understanding) -> None:
    named = [each for each in changes.constraints if each.key == "price" and each.HasField("number")]
    if named:
        understanding.price.CopyFrom(as_bounds(named[-1]))
    elif "price" not in changes.replaced and base.HasField("price"):
        understanding.price.CopyFrom(base.price)


def _standalone(context: Context, base: Understanding) -> str:
    """Return the earlier query's words without those that no longer count, and the new ones after them."""
    changes, text = context.changes, context.query
    gone = [
        (each.start, each.end)
        for each in base.constraints
        if each.operator != NOT_EQUAL and not _still_counts(each, changes)
    ]
    for start, end in sorted(gone, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    words = " ".join([text, *(each.words for each in changes.wanted.values())]).split()
    meant = " ".join(words)
    return meant if words and len(meant) <= _MOST_CHARACTERS else context.query
