"""Amounts in a query: a number with or without a currency, and whether it measures something else."""

import re
from dataclasses import dataclass

from services.intent.numerals import NUMBER, parse

_BEFORE = {"us$": "USD", "hk$": "HKD", "$": "USD", "¥": "CNY", "€": "EUR", "£": "GBP", "人民币": "CNY"}
_BEFORE |= {"rmb": "CNY", "usd": "USD", "cny": "CNY", "eur": "EUR", "gbp": "GBP", "hkd": "HKD"}
_AFTER = {
    "CNY": r"元(?![素宝宵旦])|块(?:钱|(?![装状头]))|人民币|rmb\b|cny\b|yuan\b|¥",
    "USD": r"美元|美金|刀(?![头片具架套])|(?:us\s)?dollars?\b|bucks?\b|usd\b|\$",
    "EUR": r"欧元|euros?\b|eur\b|€",
    "GBP": r"英镑|gbp\b|quid\b|£",  # "pounds" weigh more often than they cost
    "HKD": r"港币|港元|hkd\b",
    "JPY": r"日元|円|yen\b|jpy\b",
}
# What is counted or measured and so is no price.
_ENGLISH_MEASURES = (
    r"inch(?:es)?|in(?=\s*$|\s+(?:wide|tall|long|high|deep)\b)|cm|mm|m|ft|feet|foot|yards?|lbs?|pounds?|oz"
    r"|ounces?|kg|grams?|g|mg|ml|l|lit(?:er|re)s?|gal(?:lons?)?|quarts?|qt|cups?|gb|tb|mb|mah|watts?|wh?"
    r"|volts?|v|hz|khz|mhz|ghz|p|mp|percent|years?|yrs?|yo|months?|mos?|weeks?|days?|hours?|hrs?|minutes?"
    r"|mins?|seconds?|pcs|pieces?|packs?|counts?|ct|people|persons?|players?|calories|cal|stars?|degrees?"
    r"|btu|sq|square|mph|miles?|dpi|lumens?|thread|tc|reviews?|ratings?|cc|psi|sheets?|rolls?|pages?"
)
_CHINESE_MEASURES = (
    r"个?月|小时|分钟|毫[米升克安]|公[斤分里]|英[寸尺]|厘米|千[克瓦]|(?:平方?)米"
    r"|[岁周年天日寸尺米斤克升瓦伏件个只双套条片包盒瓶支袋人度码号星分层档倍匹张本台页位粒颗根卷箱桶罐]"
)
_RESOLUTIONS = ("4k", "8k")
_MEASURE = re.compile(
    rf"[+\s-]{{0,2}}(?:(?:{_ENGLISH_MEASURES})\b(?!\s?码)|[%°℃\"″㎡])|{_CHINESE_MEASURES}", re.ASCII
)
_AMOUNT = re.compile(
    rf"(?P<before>{'|'.join(('(?<![a-z])' if s.isalpha() else '') + re.escape(s) for s in _BEFORE)})?"
    rf"\s?(?P<number>{NUMBER})"
    rf"(?:\s?(?:{'|'.join(f'(?P<{code}>{pattern})' for code, pattern in _AFTER.items())}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Amount:
    """A number in a folded query; `start` and `end` include its currency."""

    start: int
    end: int
    value: float
    currency: str  # ISO 4217, empty when none is named
    unit: str  # the words after the number that name the currency
    measured: bool  # it counts or measures something, so it is no price


def find_amounts(folded: str) -> list[Amount]:
    """Return the amounts of a folded query, left to right."""
    found = (_amount(folded, match) for match in _AMOUNT.finditer(folded))
    return [amount for amount in found if amount is not None]


def _amount(folded: str, match: re.Match[str]) -> Amount | None:
    value, before = parse(match["number"]), match["before"]
    start = match.start() if before else match.start("number")
    if value is None or (not before and _goes_on_from_a_word(folded, start)):
        return None
    code = next((code for code in _AFTER if match[code]), "")
    currency = code or _BEFORE.get(before or "", "")
    counted = match["number"] in _RESOLUTIONS or _MEASURE.match(folded, match.end()) is not None
    return Amount(start, match.end(), value, currency, match[code] if code else "", counted and not currency)


def _goes_on_from_a_word(folded: str, start: int) -> bool:
    """Whether what stands before the number belongs to it: rtx4090, v2.5, size-7."""
    before, last = folded[max(0, start - 2) : start - 1], folded[max(0, start - 1) : start]
    joined = last.isascii() and (last.isalnum() or last in (".", "_"))
    return joined or (last == "-" and before.isascii() and before.isalpha())
