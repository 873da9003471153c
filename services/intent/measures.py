"""Measures named in a query: "10 inch", "2kg以内", "至少1TB", "20-30 litres"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runtime.units import HAN_UNIT, in_base_unit
from services.intent import price_words as words
from services.intent.amounts import Amount, find_amounts
from services.intent.cues import ending
from services.intent.price_words import Side
from services.intent.prices import AROUND

# What the base unit of a family measures; metric and imperial ones measure the same.
_KEYS = {
    "ml": "volume", "floz": "volume", "g": "weight", "oz": "weight", "mm": "length", "inch": "length",
    "gb": "memory", "mah": "charge", "w": "power", "v": "voltage",
}  # fmt: skip
_UNIT = re.compile(
    r"[ -]?(?P<unit>fl\.? oz|fluid ounces?|in(?=\s*$|\s+(?:wide|tall|long|high|deep)\b)"
    r"|(?!in\b)[a-z]+(?![a-z0-9/]|\s?[码号])"
    rf"|\"|''|′′|”|{HAN_UNIT})",
    re.ASCII,
)
_BODY = re.compile(r"(?:身高|体重|腰围|胸围|净身高|\bsize:?|\bheight|\bweigh(?:s|ing)?)\s*$")
_BUDGET = re.compile(r"预算|budget")
_MONEY_ONLY = re.compile(r"\s?(?:预算|[内下]|起步?|max(?:imum)?|min(?:imum)?|tops)")
_GENERATIONS = range(2, 7)  # 5g is a network,
_MEMORIES = (64, 128, 256, 512)  # and 256g a telephone's memory


@dataclass(frozen=True)
class Measure:
    """Inclusive bounds in a family's base unit, None on an open side, and the place in the query."""

    key: str
    minimum: float | None
    maximum: float | None
    unit: str
    start: int
    end: int


@dataclass(frozen=True)
class _Quantity:
    value: float
    unit: str
    start: int
    end: int


def find_measures(folded: str) -> list[Measure]:
    """Return the measures of a folded query, left to right. "About" means 20 % to either side."""
    return list(_measures(folded, find_amounts(folded)))


def _measures(folded: str, amounts: list[Amount]) -> Iterator[Measure]:
    place = 0
    while place < len(amounts):
        first, place = amounts[place], place + 1
        if place < len(amounts) and _joined(folded, first, amounts[place]):
            second = _quantity(folded, amounts[place])
            if second is not None:
                yield _range(folded, first, second)
                place += 1
                continue
        quantity = _quantity(folded, first)
        if quantity is not None:
            yield _single(folded, quantity)


def _joined(folded: str, first: Amount, second: Amount) -> bool:
    """Whether "20 to 30 litres" or "1kg-2kg" stands here."""
    own = _UNIT.match(folded, first.end)
    starts = [first.end, own.end()] if own else [first.end]
    return any(words.SEPARATOR.fullmatch(folded, start, second.start) for start in starts)


def _quantity(folded: str, amount: Amount) -> _Quantity | None:
    found = None if amount.currency else _UNIT.match(folded, amount.end)
    if found is None or ending(_BODY, folded, amount.start):
        return None
    unit = "gb" if found["unit"] == "g" and amount.value in _MEMORIES else found["unit"]
    read = in_base_unit(amount.value, unit)
    is_network = unit == "g" and amount.value in _GENERATIONS
    if read is None or not read[0] or is_network:
        return None
    return _Quantity(*read, amount.start, found.end())


def _range(folded: str, first: Amount, second: _Quantity) -> Measure:
    own = _quantity(folded, first)
    unit_of = folded[second.start : second.end]
    scale = second.value / _number(unit_of, second)
    low, high = sorted((own.value if own and own.unit == second.unit else first.value * scale, second.value))
    return Measure(_KEYS[second.unit], low, high, second.unit, first.start, second.end)


def _number(text: str, quantity: _Quantity) -> float:
    """Return the number before the unit of `text`, as it was written."""
    return find_amounts(text)[0].value


def _single(folded: str, quantity: _Quantity) -> Measure:
    side, start, end = _relation(folded, quantity.start, quantity.end)
    value, key = quantity.value, _KEYS[quantity.unit]
    if side == "around":
        return Measure(
            key, round(value * (1 - AROUND), 4), round(value * (1 + AROUND), 4), quantity.unit, start, end
        )
    low = None if side == "max" else value
    high = None if side == "min" else value
    return Measure(key, low, high, quantity.unit, start, end)


def _relation(folded: str, start: int, end: int) -> tuple[Side | None, int, int]:
    """Return the side of the bound that the words around the span name, None for the number itself."""
    for side, cue in words.BEFORE.items():
        if (found := ending(cue.strong, folded, start)) and not _BUDGET.search(found[0]):
            flipped = ending(words.NOT_BEFORE, folded, found.start())
            return (words.FLIPPED[side] if flipped else side), (flipped or found).start(), end
    for side, cue in words.AFTER.items():
        found = cue.strong.match(folded, end) or cue.weak.match(folded, end)
        if found and not _MONEY_ONLY.fullmatch(found[0]):
            return side, start, found.end()
    return None, start, end
