"""Price bounds named in a query, in Chinese or English."""

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.folding import fold
from services.intent import price_words as words
from services.intent.amounts import Amount, find_amounts
from services.intent.cues import ending
from services.intent.price_words import Cue, Side

AROUND = 0.2  # "about 100" means 80 to 120
_LEAST_BARE_PLUS = 100  # a smaller "N+" is an age, a sun protection factor, a model
_OLDEST = 100  # "women over 60" tells an age
_LEAST_BARE_PIECES = 10  # 两块香皂 are two bars of soap


@dataclass(frozen=True)
class Bounds:
    """Inclusive bounds in major units, None on an open side; `currency` is ISO 4217 or empty.

    `spans` are the places in the query, in characters, that name them; `bare` tells that no word says which
    bound the amount is.
    """

    minimum: float | None
    maximum: float | None
    currency: str
    spans: tuple[tuple[int, int], ...]
    bare: bool = False


@dataclass(frozen=True)
class _Reading:
    minimum: float | None
    maximum: float | None
    currency: str
    span: tuple[int, int]
    bare: bool = False  # an amount with no word that says which bound it is


def price_bounds(query: str) -> Bounds | None:
    """Return the bounds that `query` names, None when it names none or they contradict one another.

    A price with "about", or with no relation named at all, means 20 % to either side of it. Of several
    bounds of one side the first counts.
    """
    folded = fold(query)
    readings = list(_readings(folded, find_amounts(folded)))
    chosen = [reading for reading in readings if not reading.bare] or readings[:1]
    minimum = next((each.minimum for each in chosen if each.minimum is not None), None)
    maximum = next((each.maximum for each in chosen if each.maximum is not None), None)
    if not chosen or (minimum is not None and maximum is not None and minimum > maximum):
        return None
    currency = next((each.currency for each in chosen if each.currency), "")
    spans = tuple(each.span for each in chosen)
    return Bounds(minimum, maximum, currency, spans, bare=any(each.bare for each in chosen))


def _readings(folded: str, amounts: list[Amount]) -> Iterator[_Reading]:
    place = 0
    while place < len(amounts):
        first = amounts[place]
        second = amounts[place + 1] if place + 1 < len(amounts) else None
        if second is not None and _is_span(folded, first, second):
            reading, place = _range(folded, first, second), place + 2
        else:
            reading, place = _single(folded, first), place + 1
        if reading is not None:
            yield reading


def _is_span(folded: str, first: Amount, second: Amount) -> bool:
    """Whether "20 to 30" stands here; "and" counts only beside "between" or 之间."""
    between = folded[first.end : second.start]
    if words.SEPARATOR.fullmatch(between):
        return True
    framed = ending(words.CONJUNCTION_BEFORE, folded, first.start) or words.CONJUNCTION_AFTER.match(
        folded, second.end
    )
    return bool(framed and words.CONJUNCTION.fullmatch(between))


def _range(folded: str, first: Amount, second: Amount) -> _Reading | None:
    if first.measured or second.measured:
        return None
    low, high = sorted((first.value, second.value))
    currency = second.currency or first.currency
    framed = ending(words.RANGE_BEFORE, folded, first.start) or words.RANGE_AFTER.match(folded, second.end)
    ends = not folded[second.end :].strip()
    if not (currency or framed or _looks_like_prices(low, high, ends=ends)):
        return None
    if not currency and _is_other_matter(folded, first.start, high):
        return None
    return _Reading(low, high, currency, (first.start, second.end))


def _looks_like_prices(low: float, high: float, *, ends: bool) -> bool:
    """Whether a range with no word beside it is one of prices: round numbers, not a size and the next one.

    A query that ends with its range may name lower prices than one that goes on.
    """
    least, step = (10, 5) if ends else (200, 50)
    return low >= least and low % step == high % step == 0 and 1.2 <= high / low <= 6


def _single(folded: str, amount: Amount) -> _Reading | None:
    if amount.measured or amount.value <= 0:
        return None
    return _from_before(folded, amount) or _from_after(folded, amount) or _bare(folded, amount)


def _from_before(folded: str, amount: Amount) -> _Reading | None:
    for side, cue in words.BEFORE.items():
        strong = ending(cue.strong, folded, amount.start)
        found = strong or ending(cue.weak, folded, amount.start)
        if found is None:
            continue
        flipped = ending(words.NOT_BEFORE, folded, found.start())
        doubtful = not (strong or flipped) or _is_other_matter(folded, found.start(), amount.value)
        if doubtful and not amount.currency:
            return None
        start = (flipped or found).start()
        return _bound(words.FLIPPED[side] if flipped else side, amount, (start, amount.end))
    return None


def _from_after(folded: str, amount: Amount) -> _Reading | None:
    for side, cue in words.AFTER.items():
        found = _after(folded, amount, cue)
        if found is None:
            continue
        if not amount.currency and _is_other_matter(folded, amount.start, amount.value):
            return None
        flipped = words.NOT_AFTER.match(folded, found)
        return _bound(words.FLIPPED[side] if flipped else side, amount, (amount.start, found))
    return None


def _after(folded: str, amount: Amount, cue: Cue) -> int | None:
    """Return where the cue after the amount ends, None when there is none."""
    found = cue.strong.match(folded, amount.end)
    if found is None and amount.currency:
        found = cue.weak.match(folded, amount.end)
    if found is None and amount.value >= _LEAST_BARE_PLUS and cue is words.AFTER["min"]:
        found = words.PLUS.match(folded, amount.end)
    return found.end() if found else None


def _bare(folded: str, amount: Amount) -> _Reading | None:
    if not amount.currency or ending(words.SAVED_BEFORE, folded, amount.start):
        return None
    if words.NOT_FOR_SALE.match(folded, amount.end):
        return None
    if amount.unit == "块" and not (
        amount.value >= _LEAST_BARE_PIECES and words.BARE_ENDS.match(folded, amount.end)
    ):
        return None
    return _bound("around", amount, (amount.start, amount.end), bare=True)


def _is_other_matter(folded: str, end: int, value: float) -> bool:
    """Whether the words before place `end` say that the number tells an age, a size or a weight."""
    if ending(words.MEASURED, folded, end):
        return True
    return value <= _OLDEST and ending(words.PEOPLE, folded, end) is not None


def _bound(side: Side, amount: Amount, span: tuple[int, int], *, bare: bool = False) -> _Reading:
    value = amount.value
    if side == "around":
        low, high = round(value * (1 - AROUND), 2), round(value * (1 + AROUND), 2)
        return _Reading(low, high, amount.currency, span, bare)
    minimum, maximum = (value, None) if side == "min" else (None, value)
    return _Reading(minimum, maximum, amount.currency, span)
