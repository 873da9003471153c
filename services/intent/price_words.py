"""The Chinese and English words that make an amount a price bound, as patterns of folded text."""

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["max", "min", "around"]
FLIPPED: dict[Side, Side] = {"max": "min", "min": "max", "around": "around"}


@dataclass(frozen=True)
class Cue:
    """Patterns that name a side of a bound; the weak ones need a currency: "nike air max 270", "up to 44"."""

    strong: re.Pattern[str]
    weak: re.Pattern[str]


def _ending(pattern: str) -> re.Pattern[str]:
    """At the end of a text; a Latin word does not go on from another one."""
    return re.compile(rf"(?:(?<![a-z])|(?![a-z]))(?:{pattern})\s*$", re.ASCII)


def _starting(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\s?(?:{pattern})", re.ASCII)


BEFORE: dict[Side, Cue] = {
    "max": Cue(
        _ending(
            r"under|below|less than|cheaper than|lower than|budget(?:\s?(?:of|is|:))?|低于|少于|小于|不到"
            r"|最多|至多|最高|上限|便宜于|预算(?:[是在为:])?|控制在|[<≤]=?|up to|at most"
        ),
        _ending(r"within|max(?:imum)?(?: of)?"),
    ),
    "min": Cue(
        _ending(r"over|above|more than|at least|高于|超过|多于|大于|至少|最低|起码|[>≥]=?"),
        _ending(r"from|starting (?:at|from)|min(?:imum)?(?: of)?|higher than"),
    ),
    "around": Cue(
        _ending(r"大概|大约"), _ending(r"约|差不多|around|about|approximately|approx\.?|roughly|~")
    ),
}
AFTER: dict[Side, Cue] = {
    "max": Cue(
        _starting(r"(?:及|或)?以下|以内|之内|之下|封顶|预算|内(?=$|[\s的,，.。;；!！?？])"),
        _starting(r"内|下|(?:or|and)\s(?:less|under|below|cheaper)\b|max(?:imum)?\b|tops\b"),
    ),
    "min": Cue(
        _starting(r"(?:及|或)?以上|之上|往上|开外"),
        _starting(r"起步?|(?:or|and)\s(?:more|up|over|above)\b|at least\b|min(?:imum)?\b|\+"),
    ),
    "around": Cue(_starting(r"左右|上下|附近"), _starting(r"or so\b")),
}
PLUS = _starting(r"\+(?!\d)")

NOT_BEFORE = _ending(r"不要|不能|不想|不|别|not|no|nothing|never|none")
NOT_AFTER = re.compile(r"的?都?(?:不要|除外)(?=$|[\s,，。;；!！?？])")
# Whom or what the number describes when it is no price: "women over 60", 身高170以上, "rated above 4".
PEOPLE = _ending(
    r"wom[ae]n|m[ae]n|people|adults?|kids?|child(?:ren)?|boys?|girls?|lad(?:y|ies)|seniors?|those|anyone"
    r"|bab(?:y|ies)|toddlers?|pupp(?:y|ies)|dogs?|cats?"
)
MEASURED = _ending(
    r"ages?|aged|rat(?:ed|ing)|sizes?|spf|pa|weigh(?:s|ing)?|身高|体重|尺码|码数|容量|腰围|胸围|年龄|内存|长度|宽度|评分|好评率?"
    r"|功率|防晒"
)
SAVED_BEFORE = _ending(r"满|减|省|送|返|save")
NOT_FOR_SALE = _starting(r"的?(?:优惠券|代金券|礼品卡|红包|话费|充值)|减|gift|coupon|voucher|off\b|bill\b")
# 两块 may be two pieces; 100块 at the end of a phrase is money.
BARE_ENDS = re.compile(r"的?(?=$|[\s,，。;；!！?？的])")

SEPARATOR = re.compile(r"\s?(?:[-~–—至到]|to\b)\s?", re.ASCII)
CONJUNCTION = re.compile(r"\s?(?:and\b|[和与])\s?", re.ASCII)
RANGE_BEFORE = _ending(
    r"(?:between|from|in the range|prices?|budget|价格|价位|预算|从)(?:[是在为:]|\sof|\sis)?"
)
RANGE_AFTER = _starting(r"之间|以内|左右|的?价位|预算")
CONJUNCTION_BEFORE = _ending(r"between|在|于")
CONJUNCTION_AFTER = _starting(r"之间")
