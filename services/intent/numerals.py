"""Numbers as shoppers write them: `1,299.5`, `$2k`, `1.5万`, `一百二`, `两千`, `百元`."""

import re

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_TEN_THOUSAND = 10_000
_MULTIPLIERS = {"百": 100, "千": 1000, "k": 1000, "万": _TEN_THOUSAND, "w": _TEN_THOUSAND}

_ARABIC = (
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d{1,2})?(?:[百千万]|k(?![a-z0-9])|w(?=\s?[元块]))?(?![\d.,]*\d)"
)
_CHINESE = r"[零〇一二两三四五六七八九十百千万]{1,9}"
NUMBER = rf"(?:{_ARABIC}|{_CHINESE})"  # a pattern of folded text: what `parse` reads

_SPLIT = re.compile(r"([\d.,]+)([百千万kw]?)")


def parse(number: str) -> float | None:
    """Return the value of what NUMBER matched, or None when its characters form no number ("百百")."""
    arabic = _SPLIT.fullmatch(number)
    if arabic:
        digits, multiplier = arabic.groups()
        return round(float(digits.replace(",", "")) * _MULTIPLIERS.get(multiplier, 1), 2)
    return _chinese(number)


def _chinese(number: str) -> float | None:
    above, myriad, below = number.rpartition("万")
    if not myriad:
        return _below_ten_thousand(number)
    if "万" in above:
        return None  # 万万 is "by all means"
    left = _below_ten_thousand(above) if above else 1
    right = _below_ten_thousand(below, last_unit=_TEN_THOUSAND) if below else 0
    return None if left is None or right is None else left * _TEN_THOUSAND + right


def _below_ten_thousand(number: str, last_unit: int = 1) -> float | None:
    """Read digits and falling units; a digit left at the end counts tenths of the unit before it (一百二)."""
    total = digit = 0
    after_zero = False
    for character in number:
        unit = _UNITS.get(character)
        if unit is None:
            if digit:
                return None  # two digits in a row are a year or a telephone number
            digit, after_zero = _DIGITS[character], after_zero or _DIGITS[character] == 0
        elif unit >= last_unit > 1:
            return None  # units that rise
        else:
            total += (digit or 1) * unit
            digit, last_unit, after_zero = 0, unit, False
    return float(total + digit * (1 if after_zero else max(1, last_unit // 10)))
