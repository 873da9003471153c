"""What a query demands of products, as one list: from rules over its words and from the tagger's slots."""

from collections.abc import Iterator, Sequence

from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Constraint, PriceBounds, Slot
from runtime.folding import fold
from services.intent.exclusions import Exclusion, find_exclusions
from services.intent.lexicon import Lexicon
from services.intent.measures import Measure, find_measures
from services.intent.model_numbers import find_model_numbers
from services.intent.prices import Bounds
from services.intent.sizes import Size, find_sizes

EQUAL = messages.CONSTRAINT_OPERATOR_EQUAL
NOT_EQUAL = messages.CONSTRAINT_OPERATOR_NOT_EQUAL
LESS = messages.CONSTRAINT_OPERATOR_LESS
LESS_EQUAL = messages.CONSTRAINT_OPERATOR_LESS_EQUAL
GREATER = messages.CONSTRAINT_OPERATOR_GREATER
GREATER_EQUAL = messages.CONSTRAINT_OPERATOR_GREATER_EQUAL
RANGE = messages.CONSTRAINT_OPERATOR_RANGE
MODEL = messages.CONSTRAINT_SOURCE_MODEL
RULE = messages.CONSTRAINT_SOURCE_RULE
CONTEXT = messages.CONSTRAINT_SOURCE_CONTEXT

# How far a rule's reading can be trusted: set by hand, not measured.
STATED, BARE, MEASURED, SIZED, NUMBERED = 0.95, 0.6, 0.9, 0.9, 0.9

_Span = tuple[int, int]


def find_constraints(
    query: str, lexicon: Lexicon, bounds: Bounds | None, slots: Sequence[Slot] = ()
) -> list[Constraint]:
    """Return the constraints that `query` names, in the order of its words.

    `bounds` are what `price_bounds` read of it. What rules read goes before what the tagger says of the same
    words, but for a known value that holds a measure and more ("1.5米床").
    """
    folded = fold(query)
    found = [of_price(bounds)] if bounds else []
    taken = list(bounds.spans) if bounds else []
    for each in _numbers(query, folded, lexicon, slots):
        if _is_free(each.start, each.end, taken):
            taken.append((each.start, each.end))
            found.append(each)
    told = [(slot.start, slot.end) for slot in slots if slot.negated]
    unwanted = find_exclusions(query, folded, lexicon, taken)
    unwanted = [each for each in unwanted if each.key or not _is_inside(each, told)]
    taken += [(each.start, each.end) for each in unwanted]
    found += [_of_exclusion(each) for each in unwanted]
    free = (slot for slot in slots if _is_free(slot.start, slot.end, taken))
    found += [held for slot in free if (held := _of_slot(slot, query, lexicon))]
    return sorted(found, key=lambda each: (each.start, each.end))


def of_price(bounds: Bounds) -> Constraint:
    """Return the constraint of price bounds; its span reaches from the first to the last phrase."""
    starts, ends = zip(*bounds.spans, strict=True)
    confidence = BARE if bounds.bare else STATED
    found = Constraint(key="price", unit=bounds.currency, confidence=confidence)
    _set_bounds(found, bounds.minimum, bounds.maximum)
    return _at(min(starts), max(ends), found)


def as_bounds(constraint: Constraint) -> PriceBounds:
    """Return the bounds of a price constraint that has numbers."""
    low = constraint.number if constraint.operator != LESS_EQUAL else None
    high = {LESS_EQUAL: constraint.number, RANGE: constraint.upper, EQUAL: constraint.number}.get(
        constraint.operator
    )
    return PriceBounds(minimum=low, maximum=high, currency_code=constraint.unit)


def _numbers(query: str, folded: str, lexicon: Lexicon, slots: Sequence[Slot]) -> Iterator[Constraint]:
    """Yield measures, sizes and model numbers; where two read the same words, the earlier one counts."""
    wider = [(slot.start, slot.end) for slot in slots if _is_known(slot, query, lexicon)]
    yield from (_of_measure(each) for each in find_measures(folded) if not _is_inside(each, wider))
    yield from (_of_size(each, lexicon) for each in find_sizes(folded))
    for start, end in find_model_numbers(folded):
        found = Constraint(key="model", operator=EQUAL, value=query[start:end], confidence=NUMBERED)
        yield _at(start, end, found)


def _of_measure(measure: Measure) -> Constraint:
    found = Constraint(key=measure.key, unit=measure.unit, confidence=MEASURED)
    _set_bounds(found, measure.minimum, measure.maximum)
    return _at(measure.start, measure.end, found)


def _of_size(size: Size, lexicon: Lexicon) -> Constraint:
    value = lexicon.canonical("size", size.value) or size.value
    return _at(size.start, size.end, Constraint(key="size", operator=EQUAL, value=value, confidence=SIZED))


def _of_exclusion(each: Exclusion) -> Constraint:
    found = Constraint(key=each.key, operator=NOT_EQUAL, value=each.value, confidence=each.confidence)
    return _at(each.start, each.end, found)


def _set_bounds(constraint: Constraint, low: float | None, high: float | None) -> None:
    """Set the operator and the numbers of inclusive bounds, of which one at least is given."""
    if low is None or high is None:
        constraint.operator = LESS_EQUAL if low is None else GREATER_EQUAL
        constraint.number = (low if high is None else high) or 0.0
        return
    constraint.operator = EQUAL if low == high else RANGE
    constraint.number = low
    if low != high:
        constraint.upper = high


def _at(start: int, end: int, constraint: Constraint) -> Constraint:
    """Return a rule's constraint with its place."""
    constraint.start, constraint.end, constraint.source = start, end, RULE
    return constraint


def _of_slot(slot: Slot, query: str, lexicon: Lexicon) -> Constraint | None:
    """Return what a slot demands. Of words the shop does not know the tagger's key is a guess: one that is
    excluded has none, and and sizes it does not know are read by rules alone (not in "air max 270")."""
    known = _is_known(slot, query, lexicon)
    if not known and (slot.key == "size" or slot.value.strip("- ").lower() == "free"):
        return None
    return Constraint(
        key="" if slot.negated and not known else slot.key,
        operator=NOT_EQUAL if slot.negated else EQUAL,
        value=slot.value,
        confidence=slot.confidence,
        start=slot.start,
        end=slot.end,
        source=MODEL,
    )


def _is_known(slot: Slot, query: str, lexicon: Lexicon) -> bool:
    words = query[slot.start : slot.end]
    return slot.value != words or lexicon.canonical(slot.key, words) is not None


def _is_free(start: int, end: int, taken: Sequence[_Span]) -> bool:
    return not any(start < other_end and other_start < end for other_start, other_end in taken)


def _is_inside(found: Measure | Exclusion, spans: Sequence[_Span]) -> bool:
    """Whether one of the spans holds what was found and more."""
    width = found.end - found.start
    return any(start <= found.start and found.end <= end and end - start > width for start, end in spans)
